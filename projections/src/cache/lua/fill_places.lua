-- Fills in where a user's counts begin. ARGV: 4 the user, 5 the token it belongs to, 6 the position at which it was
-- read, 7 how long to keep it, 8… channel and value.
if redis.call('GET', KEYS[1]) ~= ARGV[5] or not redeem(ARGV[5], 'unread_counts', ARGV[4], ARGV[3], ARGV[6]) then
  return 0
end
if redis.call('EXISTS', name('marking', ARGV[5], ARGV[4])) == 1 then
  return 0
end
local key = name('unread_counts', ARGV[5], ARGV[4])
redis.call('DEL', key)
redis.call('HSET', key, '!', ARGV[6])
for n = 8, #ARGV, 2 do
  redis.call('HSET', key, ARGV[n], ARGV[n + 1])
end
redis.call('EXPIRE', key, ARGV[7])
return 1
