-- Somebody's read marker has changed in Postgres. ARGV: 4 user, 5 the token of the beginning, 6 for how long to keep their counts, 7 channel,
-- 8 its value, empty where it is not one of theirs.
local token = redis.call('GET', KEYS[1])
if not token then
  return 1
end
local marking = name('marking', token, ARGV[4])
local places = name('unread_counts', token, ARGV[4])
if token ~= ARGV[5] or redis.call('GET', marking) ~= ARGV[3] then
  -- The cache began anew meanwhile, another device marks at the same time, or this took too long: what is there may be from before, and
  -- so may what is just being filled in.
  redis.call('DEL', places, name('filling', token, 'unread_counts:' .. ARGV[4]))
  return 1
end
if redis.call('EXISTS', places) == 1 then
  if ARGV[8] ~= '' then
    redis.call('HSET', places, ARGV[7], ARGV[8])
  end
  redis.call('EXPIRE', places, ARGV[6])
end
redis.call('DEL', marking)
return 1
