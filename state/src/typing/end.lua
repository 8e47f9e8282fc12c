-- Some have stopped typing a moment ago: whoever has typed again since stays.
--
-- KEYS[1]   as type.lua writes it.
-- ARGV      for how many milliseconds typing holds; then for each of them: the person, and how many milliseconds ago they stopped.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 2, #ARGV, 2 do
  local holds_until = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if holds_until and tonumber(holds_until) <= now - tonumber(ARGV[i + 1]) + tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return redis.status_reply('OK')
