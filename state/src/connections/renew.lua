-- Records that a connection of a user is open, or removes it. Entries that were not renewed are removed.
--
-- KEYS[1]   the connections of a user: a sorted set. The score of an entry is the time until which it holds (in
--           milliseconds of this server's clock).
-- ARGV      the entry, `<session>:<connection>`; for how many milliseconds it holds, or 0 to remove it; the most entries.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local holds, most = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if holds == 0 then
    redis.call('ZREM', KEYS[1], ARGV[1])
else
    redis.call('ZADD', KEYS[1], now + holds, ARGV[1])
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -most - 1)
    redis.call('PEXPIRE', KEYS[1], holds)
end
return redis.status_reply('OK')
