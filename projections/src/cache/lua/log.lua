-- The messages that unread counts are computed from: one sorted set for each channel. All scores are 0, so that ranges
-- of names can be counted.
--   !<floor>|<applied>       all messages after the place `floor`, as of position `applied`
--   m:<place>:<author>       a message that counts
--   a:<author>:<place>       the same, by author
--   i:<place>:<author>:<who> whom a message mentions, with commas; * is everyone in the channel
--   u:<user>:<place>         a message that mentions that user, who did not write it
--   B:<place>                a message that mentions everyone in the channel
--   b:<author>:<place>       the same, by author
local PLACE = 49

-- Calls a function with as many of the values at once as one call of Redis allows.
local function in_parts(values, call)
  for first = 1, #values, 1000 do
    call({ unpack(values, first, math.min(first + 999, #values)) })
  end
end

-- The versions of the channels' messages, all of a workspace in one hash. A count made at a version is valid as long as
-- the hash has this version. Each version is a new token: one that is lost, by a change or an eviction, never comes
-- back.
local function versions_key(token)
  return name('unread_versions', token, 'all')
end

-- Returns the versions of channels, which are every second of the values. A channel without a version gets one.
local function log_versions(token, channels)
  local key, versions, fresh, names = versions_key(token), {}, {}, {}
  for n = 1, #channels, 2 do
    names[#names + 1] = channels[n]
  end
  in_parts(names, function(part)
    for n, version in ipairs(redis.call('HMGET', key, unpack(part))) do
      if not version then
        fresh[#fresh + 1] = part[n]
        fresh[#fresh + 1] = ARGV[3]
      end
      versions[#versions + 1] = version or ARGV[3]
    end
  end)
  if #fresh > 0 then
    in_parts(fresh, function(part)
      redis.call('HSET', key, unpack(part))
    end)
    redis.call('EXPIRE', key, ROOT_TTL)
  end
  return versions
end

-- Notes that messages of a channel have changed.
local function log_changed(token, channel)
  redis.call('HDEL', versions_key(token), channel)
end

local function log_header(log)
  local first = redis.call('ZRANGE', log, 0, 0)[1]
  if not first or string.sub(first, 1, 1) ~= '!' then
    return nil
  end
  local bar = string.find(first, '|', 1, true)
  return { text = first, floor = string.sub(first, 2, bar - 1), applied = tonumber(string.sub(first, bar + 1)) }
end

local function set_log_header(log, header, floor, applied)
  if header then
    redis.call('ZREM', log, header.text)
  end
  redis.call('ZADD', log, 0, '!' .. floor .. '|' .. string.format('%.0f', applied))
end

local function mentioned(log, command, place, author, who)
  local entries = {}
  if string.find(who, '*', 1, true) then
    entries = { 'B:' .. place, 'b:' .. author .. ':' .. place }
  else
    for user in string.gmatch(who, '[^,]+') do
      if user ~= author then
        entries[#entries + 1] = 'u:' .. user .. ':' .. place
      end
    end
  end
  for _, entry in ipairs(entries) do
    if command == 'ZADD' then
      redis.call('ZADD', log, 0, entry)
    else
      redis.call('ZREM', log, entry)
    end
  end
end

local function log_add(log, place, author, counts, who)
  if counts == '1' then
    redis.call('ZADD', log, 0, 'm:' .. place .. ':' .. author, 0, 'a:' .. author .. ':' .. place)
  end
  if who ~= '' then
    redis.call('ZADD', log, 0, 'i:' .. place .. ':' .. author .. ':' .. who)
    mentioned(log, 'ZADD', place, author, who)
  end
end

local function log_remove_info(log, info)
  local place = string.sub(info, 3, 2 + PLACE)
  local author = string.sub(info, 4 + PLACE, 35 + PLACE)
  mentioned(log, 'ZREM', place, author, string.sub(info, 37 + PLACE))
  redis.call('ZREM', log, info)
end

local function log_remove_message(log, entry)
  redis.call('ZREM', log, entry, 'a:' .. string.sub(entry, 4 + PLACE) .. ':' .. string.sub(entry, 3, 2 + PLACE))
end

local function log_remove(log, place)
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', log, '[m:' .. place .. ':', '(m:' .. place .. '~')) do
    log_remove_message(log, entry)
  end
  for _, info in ipairs(redis.call('ZRANGEBYLEX', log, '[i:' .. place .. ':', '(i:' .. place .. '~')) do
    log_remove_info(log, info)
  end
end

-- Keeps only the newest messages, and returns the new floor.
local function log_trim(log, floor, keep, at_most)
  if redis.call('ZLEXCOUNT', log, '[m:', '(m:~') <= at_most then
    return floor
  end
  local last = redis.call('ZREVRANGEBYLEX', log, '(m:~', '[m:', 'LIMIT', keep, 1)[1]
  floor = string.sub(last, 3, 2 + PLACE)
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', log, '[m:', '(m:' .. floor .. '~')) do
    log_remove_message(log, entry)
  end
  for _, info in ipairs(redis.call('ZRANGEBYLEX', log, '[i:', '(i:' .. floor .. '~')) do
    log_remove_info(log, info)
  end
  return floor
end
