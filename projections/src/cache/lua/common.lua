-- The common beginning of all scripts. KEYS[1] is the workspace's root. It holds a token that is part of the names of
-- all other cached keys of the workspace. So if the root is gone for any reason, the whole cache of the workspace is
-- gone. ARGV[1] is the prefix of this installation, ARGV[2] the workspace as a hash tag, ARGV[3] a new token.
local ROOT_TTL = 172800
local FILL_TTL_MS = 10000

local function name(family, token, id)
  return ARGV[1] .. family .. ':' .. token .. ':' .. ARGV[2] .. ':' .. id
end

-- Returns the token, and makes one if there is none.
local function rooted()
  local token = redis.call('GET', KEYS[1])
  if not token then
    token = ARGV[3]
    redis.call('SET', KEYS[1], token, 'EX', ROOT_TTL)
  end
  return token
end

-- Takes the lease to fill an entry: one caller at a time has it. Changes meanwhile are noted in the lease (`applied`).
local function lease(token, family, id)
  local key = name('filling', token, family .. ':' .. id)
  if redis.call('HSETNX', key, 'by', ARGV[3]) == 0 then
    return false
  end
  redis.call('PEXPIRE', key, FILL_TTL_MS)
  return true
end

-- Ends a lease. Returns whether its owner may fill in data that was read at that position: no change came after the
-- position.
local function redeem(token, family, id, by, position)
  local key = name('filling', token, family .. ':' .. id)
  local held = redis.call('HMGET', key, 'by', 'applied')
  if held[1] ~= by then
    return false
  end
  redis.call('DEL', key)
  return tonumber(held[2] or '0') <= tonumber(position)
end

-- Notes a change at that position: a caller that fills the entry must have read at that position or later.
local function happened(token, family, id, position)
  local key = name('filling', token, family .. ':' .. id)
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'applied', position)
  end
end
