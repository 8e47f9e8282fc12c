-- True sliding windows: a request is granted where, in every window, fewer than `quota` were granted in the time before it.
--
-- KEYS      a list per window: the moments of what was granted, in microseconds of this server's clock, the newest first. Never more than the quota.
-- ARGV      for each window its quota, and its length in microseconds.
-- returns   whether it is granted (1 or 0); for each window how many are left, and in how many microseconds one more is.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local granted = 1

for i, key in ipairs(KEYS) do
    local quota, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local newest = redis.call('LINDEX', key, 0)
    if newest and tonumber(newest) > now then
        -- The clock was set back: better too many requests than a window that nobody gets out of.
        redis.call('DEL', key)
    end
    local oldest = redis.call('LINDEX', key, -1)
    while oldest and tonumber(oldest) <= now - length do
        redis.call('RPOP', key)
        oldest = redis.call('LINDEX', key, -1)
    end
    local used = redis.call('LLEN', key)
    if used > quota then
        -- The setting was lowered.
        redis.call('LTRIM', key, 0, quota - 1)
    end
    if used >= quota then
        granted = 0
    end
end

local answer = { granted }
for i, key in ipairs(KEYS) do
    local quota, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    if granted == 1 then
        redis.call('LPUSH', key, string.format('%.0f', now))
        redis.call('PEXPIRE', key, math.ceil(length / 1000))
    end
    local oldest = redis.call('LINDEX', key, -1)
    answer[#answer + 1] = quota - redis.call('LLEN', key)
    answer[#answer + 1] = oldest and tonumber(oldest) + length - now or 0
end
return answer
