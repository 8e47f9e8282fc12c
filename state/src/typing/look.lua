-- Returns the users who are typing: those whose entry has not expired, the latest first.
--
-- KEYS[1]   the sorted set that type.lua writes.
-- ARGV      the most users to return.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
