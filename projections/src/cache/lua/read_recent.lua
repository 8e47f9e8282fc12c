-- Returns the newest rows of a channel, oldest first. ARGV: 4 the channel, 5 how many, 6 how long to keep them, 7
-- whether to take the lease if they are missing. Members of the sorted set are `<place>|<row>`, and before them
-- `!<floor>|<applied>`: all rows after the floor are included.
local token = rooted()
local key = name('recent_messages', token, ARGV[4])
local wanted = tonumber(ARGV[5])
local rows = redis.call('ZRANGE', key, -wanted, -1)
if #rows > 0 then
  local first = redis.call('ZRANGE', key, 0, 0)[1]
  local complete = string.sub(first, 1, 2) == '!|'
  if string.sub(rows[1], 1, 1) == '!' then
    table.remove(rows, 1)
  end
  if string.sub(first, 1, 1) == '!' and (complete or #rows == wanted) then
    redis.call('EXPIRE', key, ARGV[6])
    return { 'hit', rows }
  end
  redis.call('DEL', key)
end
if ARGV[7] == '1' and lease(token, 'recent_messages', ARGV[4]) then
  return { 'fill', { token } }
end
return { 'miss', {} }
