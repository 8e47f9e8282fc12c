-- Removes users who have stopped typing. A user who has typed again since then stays.
--
-- KEYS[1]   the sorted set that type.lua writes.
-- ARGV      for how many milliseconds typing holds; then for each user: the user, and how many milliseconds ago they
--           stopped.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 2, #ARGV, 2 do
  local holds_until = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if holds_until and tonumber(holds_until) <= now - tonumber(ARGV[i + 1]) + tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return redis.status_reply('OK')
