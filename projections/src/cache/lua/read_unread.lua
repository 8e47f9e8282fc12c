-- What somebody has not read, in all their channels of a workspace. ARGV: 4 user, 5 the most that is counted in a channel.
-- `unread_counts` is a hash: of each channel, where counting begins, what they want to be told, and the message that they read up to.
-- Answers with 5 values for each channel: it, its value in the hash, unread messages, mentions, and whether there are more.
local token = rooted()
if redis.call('EXISTS', name('marking', token, ARGV[4])) == 1 then
  return { 'miss', {} }
end
local places = redis.call('HGETALL', name('unread_counts', token, ARGV[4]))
if #places == 0 then
  if lease(token, 'unread_counts', ARGV[4]) then
    return { 'fill', { token } }
  end
  return { 'miss', {} }
end

local at_most = tonumber(ARGV[5])
local log

local function after(prefix, place)
  return redis.call('ZLEXCOUNT', log, '(' .. prefix .. place .. '~', '(' .. prefix .. '~')
end

local counted, wanted, busy = {}, {}, false
for n = 1, #places, 2 do
  local channel, value = places[n], places[n + 1]
  if channel ~= '!' then
    log = name('unread_log', token, channel)
    local header = log_header(log)
    local since = string.sub(value, 1, PLACE)
    local messages = header and after('m:', since) or 0
    local more = 0
    if header and messages > at_most then
      local last = redis.call('ZREVRANGEBYLEX', log, '(m:~', '[m:', 'LIMIT', at_most, 1)[1]
      since, messages, more = string.sub(last, 3, 2 + PLACE), at_most, 1
    elseif not header or since < header.floor then
      if lease(token, 'unread_log', channel) then
        wanted[#wanted + 1] = channel
        wanted[#wanted + 1] = header and 'deep' or 'shallow'
      else
        busy = true
      end
    end
    if #wanted == 0 and not busy then
      if messages > 0 then
        messages = messages - after('a:' .. ARGV[4] .. ':', since)
      end
      local mentions = after('u:' .. ARGV[4] .. ':', since)
      local everyone = after('B:', since)
      if everyone > 0 then
        mentions = mentions + everyone - after('b:' .. ARGV[4] .. ':', since)
      end
      counted[#counted + 1] = channel
      counted[#counted + 1] = value
      counted[#counted + 1] = tostring(messages)
      counted[#counted + 1] = tostring(mentions)
      counted[#counted + 1] = tostring(more)
    end
  end
end
if #wanted > 0 then
  table.insert(wanted, 1, token)
  return { 'logs', wanted }
end
if busy then
  return { 'miss', {} }
end
return { 'hit', counted }
