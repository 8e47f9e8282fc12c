-- True sliding windows: a request is granted if, in every window, fewer than `quota` requests were granted in the time
-- before it.
--
-- KEYS      a list for each window: the times of granted requests, in microseconds of this server's clock, the newest
--           first. A list is never longer than the quota.
-- ARGV      for each window its quota, and its length in microseconds.
-- returns   whether the request is granted (1 or 0); for each window, how many requests remain, and in how many
--           microseconds one more is allowed.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local granted, used_of, oldest_of = 1, {}, {}

for i, key in ipairs(KEYS) do
    local quota, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local oldest, used = redis.call('LINDEX', key, -1), 0
    while oldest and tonumber(oldest) <= now - length do
        redis.call('RPOP', key)
        oldest = redis.call('LINDEX', key, -1)
    end
    if oldest then
        used = redis.call('LLEN', key)
        if tonumber(redis.call('LINDEX', key, 0)) > now then
            -- The clock was set back. The window is cleared: too many requests are better than a window that stays full.
            redis.call('DEL', key)
            oldest, used = nil, 0
        elseif used > quota then
            -- The setting was lowered.
            redis.call('LTRIM', key, 0, quota - 1)
            oldest, used = redis.call('LINDEX', key, -1), quota
        end
    end
    if used >= quota then
        granted = 0
    end
    used_of[i], oldest_of[i] = used, tonumber(oldest)
end

local answer = { granted }
for i, key in ipairs(KEYS) do
    local quota, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local used, oldest = used_of[i], oldest_of[i]
    if granted == 1 then
        used = redis.call('LPUSH', key, string.format('%.0f', now))
        oldest = oldest or now
        -- Twice the window, so that not every request has to extend the expiry.
        local window_ms = math.ceil(length / 1000)
        if redis.call('PTTL', key) < window_ms then
            redis.call('PEXPIRE', key, 2 * window_ms)
        end
    end
    answer[#answer + 1] = quota - used
    answer[#answer + 1] = oldest and oldest + length - now or 0
end
return answer
