-- Returns a user's unread counts in all channels of a workspace. ARGV: 4 the user, 5 the most that is counted in a
-- channel. `unread_counts` is a hash: for each channel the place where counting begins, the notification level, the
-- message that the user has read up to, and the last counts with the version of the channel's messages at that time.
-- Only channels that have changed since are counted again: a second call only compares versions. The answer has the
-- fields of that hash and their values, in turn.
local token = rooted()
if redis.call('EXISTS', name('marking', token, ARGV[4])) == 1 then
  return { 'miss', {} }
end
local key = name('unread_counts', token, ARGV[4])
local places = redis.call('HGETALL', key)
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

-- Counts the unread messages and mentions in a channel, and whether there are more. Returns nothing if too few messages
-- are cached.
local function count(channel, since)
  log = name('unread_log', token, channel)
  local header = log_header(log)
  if not header then
    return nil, 'shallow'
  end
  local messages, more = after('m:', since), 0
  if messages > at_most then
    local last = redis.call('ZREVRANGEBYLEX', log, '(m:~', '[m:', 'LIMIT', at_most, 1)[1]
    since, messages, more = string.sub(last, 3, 2 + PLACE), at_most, 1
  elseif since < header.floor then
    return nil, 'deep'
  end
  if messages > 0 then
    messages = messages - after('a:' .. ARGV[4] .. ':', since)
  end
  local mentions = 0
  if after('i:', since) > 0 then
    mentions = after('u:' .. ARGV[4] .. ':', since) + after('B:', since) - after('b:' .. ARGV[4] .. ':', since)
  end
  return messages .. '|' .. mentions .. '|' .. more
end

local versions = log_versions(token, places)
local wanted, counted, busy = {}, {}, false
for n = 1, #places, 2 do
  local channel, value, version = places[n], places[n + 1], versions[(n + 1) / 2]
  -- `<place>|<level>|<marker>`, followed by `|<messages>|<mentions>|<more>|<version>` if the channel was counted
  -- before.
  if channel ~= '!' and string.sub(value, -#version) ~= version then
    local figures, depth = count(channel, string.sub(value, 1, PLACE))
    if figures then
      places[n + 1] = string.match(value, '^[^|]*|[^|]*|[^|]*') .. '|' .. figures .. '|' .. version
      counted[#counted + 1] = channel
      counted[#counted + 1] = places[n + 1]
    elseif lease(token, 'unread_log', channel) then
      wanted[#wanted + 1] = channel
      wanted[#wanted + 1] = depth
    else
      busy = true
    end
  end
end
in_parts(counted, function(part)
  redis.call('HSET', key, unpack(part))
end)
if #wanted > 0 then
  table.insert(wanted, 1, token)
  return { 'logs', wanted }
end
if busy then
  return { 'miss', {} }
end
return { 'hit', places }
