-- A user's read marker has changed in Postgres. ARGV: 4 the user, 5 the token of the beginning, 6 how long to keep the
-- counts, 7 the channel, 8 its value, empty if the user is not a member of the channel. Without a channel, the markers
-- of all channels have changed: the counts begin anew.
local token = redis.call('GET', KEYS[1])
if not token then
  return 1
end
local marking = name('marking', token, ARGV[4])
local places = name('unread_counts', token, ARGV[4])
if token ~= ARGV[5] or redis.call('GET', marking) ~= ARGV[3] then
  -- A new cache began meanwhile, another device moves a marker at the same time, or this took too long. The cached
  -- counts may be older than the marker, and so may a fill that is running.
  redis.call('DEL', places, name('filling', token, 'unread_counts:' .. ARGV[4]))
  return 1
end
if ARGV[7] == '' then
  redis.call('DEL', places)
elseif redis.call('EXISTS', places) == 1 then
  if ARGV[8] ~= '' then
    redis.call('HSET', places, ARGV[7], ARGV[8])
  end
  redis.call('EXPIRE', places, ARGV[6])
end
redis.call('DEL', marking)
return 1
