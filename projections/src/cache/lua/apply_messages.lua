-- Writes messages of one channel that have changed, as they are now. ARGV: 4 the channel, 5 the position of the last
-- event, 6 the position at which the messages were read (not lower than 5), 7 how many rows of a page to keep and 8 the
-- most, 9 and 10 the same for counts, 11… for each message its place, its row of the page (empty if it is not on the
-- page), its author, whether it counts, and whom it mentions.
local token = redis.call('GET', KEYS[1])
if not token then
  return 0
end
happened(token, 'recent_messages', ARGV[4], ARGV[5])
happened(token, 'unread_log', ARGV[4], ARGV[5])
log_changed(token, ARGV[4])
local read_at = tonumber(ARGV[6])

local page = name('recent_messages', token, ARGV[4])
local first = redis.call('ZRANGE', page, 0, 0)[1]
if first and string.sub(first, 1, 1) == '!' then
  local bar = string.find(first, '|', 1, true)
  local floor = string.sub(first, 2, bar - 1)
  -- Data that was filled in or written from a later read contains these changes already.
  if tonumber(string.sub(first, bar + 1)) <= read_at then
    for n = 11, #ARGV, 5 do
      local place, row = ARGV[n], ARGV[n + 1]
      redis.call('ZREMRANGEBYLEX', page, '[' .. place .. '|', '(' .. place .. '}')
      if row ~= '' and place > floor then
        redis.call('ZADD', page, 0, place .. '|' .. row)
      end
    end
    local rows = redis.call('ZCARD', page) - 1
    if rows > tonumber(ARGV[8]) then
      local surplus = rows - tonumber(ARGV[7])
      floor = string.sub(redis.call('ZRANGE', page, surplus, surplus)[1], 1, 49)
      redis.call('ZREMRANGEBYRANK', page, 1, surplus)
    end
    redis.call('ZREM', page, first)
    redis.call('ZADD', page, 0, '!' .. floor .. '|' .. ARGV[6])
  end
end

local log = name('unread_log', token, ARGV[4])
local header = log_header(log)
if header and header.applied <= read_at then
  local floor = header.floor
  for n = 11, #ARGV, 5 do
    local place = ARGV[n]
    log_remove(log, place)
    if place > floor then
      log_add(log, place, ARGV[n + 2], ARGV[n + 3], ARGV[n + 4])
    end
  end
  floor = log_trim(log, floor, tonumber(ARGV[9]), tonumber(ARGV[10]))
  set_log_header(log, header, floor, read_at)
end
return 1
