-- Fills in the newest rows of a channel. ARGV: 4 the channel, 5 the token they belong to, 6 the position at which they
-- were read, 7 how long to keep them, 8 the floor, 9… the rows.
if redis.call('GET', KEYS[1]) ~= ARGV[5] or not redeem(ARGV[5], 'recent_messages', ARGV[4], ARGV[3], ARGV[6]) then
  return 0
end
local key = name('recent_messages', ARGV[5], ARGV[4])
redis.call('DEL', key)
redis.call('ZADD', key, 0, '!' .. ARGV[8] .. '|' .. ARGV[6])
for n = 9, #ARGV do
  redis.call('ZADD', key, 0, ARGV[n])
end
redis.call('EXPIRE', key, ARGV[7])
return 1
