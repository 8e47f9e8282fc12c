-- Says that a device is there, or forgets it.
--
-- KEYS[1]   a person's devices in a workspace: a hash, of which each field is a device and says until when it holds (in milliseconds of this server's
--           clock), since when, what it is, and what it says of its person.
-- ARGV      the device; for how many milliseconds this holds; the most devices; then what it says, and what it is. Without these two it is forgotten.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local device, holds, devices_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

redis.call('HDEL', KEYS[1], device)
local others, oldest, oldest_until = 0, nil, nil
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local holds_until = tonumber(string.match(all[i + 1], '^(%d+)'))
    if holds_until <= now then
        redis.call('HDEL', KEYS[1], all[i])
    else
        others = others + 1
        if not oldest_until or holds_until < oldest_until then
            oldest, oldest_until = all[i], holds_until
        end
    end
end
if ARGV[4] then
    if others >= devices_max then
        redis.call('HDEL', KEYS[1], oldest)
    end
    redis.call('HSET', KEYS[1], device, string.format('%.0f %.0f %s %s', now + holds, now, ARGV[4], ARGV[5]))
    redis.call('PEXPIRE', KEYS[1], holds)
end
return redis.status_reply('OK')
