-- Fills in the first members of a channel. ARGV: 4 the channel, 5 the token it belongs to, 6 the position at which it
-- was read, 7 how long to keep it, 8 one line for each member.
if redis.call('GET', KEYS[1]) ~= ARGV[5] or not redeem(ARGV[5], 'channel_members', ARGV[4], ARGV[3], ARGV[6]) then
  return 0
end
redis.call('SET', name('channel_members', ARGV[5], ARGV[4]), ARGV[8], 'EX', ARGV[7])
return 1
