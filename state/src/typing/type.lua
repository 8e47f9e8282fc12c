-- Records that a user is typing. The entry expires by itself.
--
-- KEYS[1]   the users who are typing in a channel: a sorted set. The score of an entry is the time until which it holds
--           (in milliseconds of this server's clock).
-- ARGV      the user; for how many milliseconds the entry holds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.status_reply('OK')
