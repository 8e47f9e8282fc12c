-- Removes entries whose data has changed and that are not updated in place. ARGV: 4 the position of the last event, 5…
-- family and identifier.
local token = redis.call('GET', KEYS[1])
if not token then
  return 0
end
for n = 5, #ARGV, 2 do
  happened(token, ARGV[n], ARGV[n + 1], ARGV[4])
  redis.call('DEL', name(ARGV[n], token, ARGV[n + 1]))
end
return 1
