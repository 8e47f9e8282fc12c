-- Says that somebody is typing, for a moment.
--
-- KEYS[1]   who types in a channel: a sorted set of people, by until when that holds (in milliseconds of this server's clock).
-- ARGV      the person; for how many milliseconds it holds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.status_reply('OK')
