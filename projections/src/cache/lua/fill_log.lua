-- Fills in the messages that a channel's unread counts are computed from. ARGV: 4 the channel, 5 the token it belongs
-- to, 6 the position at which it was read, 7 how long to keep it, 8 the floor, 9… for each message its place, its
-- author, whether it counts, and whom it mentions.
if redis.call('GET', KEYS[1]) ~= ARGV[5] or not redeem(ARGV[5], 'unread_log', ARGV[4], ARGV[3], ARGV[6]) then
  return 0
end
local log = name('unread_log', ARGV[5], ARGV[4])
redis.call('DEL', log)
set_log_header(log, nil, ARGV[8], tonumber(ARGV[6]))
for n = 9, #ARGV, 4 do
  log_add(log, ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3])
end
redis.call('EXPIRE', log, ARGV[7])
return 1
