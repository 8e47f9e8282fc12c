-- Returns the open connections of a user.
--
-- KEYS[1]   the sorted set that renew.lua writes.
-- returns   the entries that hold.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
