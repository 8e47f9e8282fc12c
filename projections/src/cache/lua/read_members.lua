-- Returns the first members of a channel, one line each. ARGV: 4 the channel.
local token = rooted()
local members = redis.call('GET', name('channel_members', token, ARGV[4]))
if members then
  return { 'hit', { members } }
end
if lease(token, 'channel_members', ARGV[4]) then
  return { 'fill', { token } }
end
return { 'miss', {} }
