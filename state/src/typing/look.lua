-- Who is typing: those whose moment is not over, the latest first.
--
-- KEYS[1]   as type.lua writes it.
-- ARGV      the most people.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
