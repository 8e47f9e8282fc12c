-- Records a heartbeat of a device, or removes the device.
--
-- KEYS[1]   a user's devices in a workspace: a hash with a field for each device. Its value has the time until which it
--           holds (in milliseconds of this server's clock), the time of the heartbeat, the status, and the kind of
--           device.
-- ARGV      the device; for how many milliseconds the heartbeat holds; the most devices; then the status and the kind
--           of device. Without the last two, the device is removed.
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
    -- Another device may hold for longer.
    if redis.call('PTTL', KEYS[1]) < holds then
        redis.call('PEXPIRE', KEYS[1], holds)
    end
end
return redis.status_reply('OK')
