-- A user's read marker is about to change in Postgres. Until it has changed, the user's counts are not computed from
-- the cache. ARGV: 4 the user. If the process dies in between, the note of the change stays longer than the counts.
local token = redis.call('GET', KEYS[1])
if not token then
  return ''
end
redis.call('SET', name('marking', token, ARGV[4]), ARGV[3], 'PX', 60000)
redis.call('DEL', name('filling', token, 'unread_counts:' .. ARGV[4]))
local places = name('unread_counts', token, ARGV[4])
if redis.call('PTTL', places) > 30000 then
  redis.call('PEXPIRE', places, 30000)
end
return token
