-- What all scripts begin with. KEYS[1] is the workspace's root: it holds a token that stands in the names of all else that is cached of
-- the workspace, so that a root that is gone, for whatever reason, is a cache that is gone. ARGV[1] is the prefix of this installation,
-- ARGV[2] the workspace as a hash tag, ARGV[3] a new token.
local ROOT_TTL = 172800
local FILL_TTL_MS = 10000

local function name(family, token, id)
  return ARGV[1] .. family .. ':' .. token .. ':' .. ARGV[2] .. ':' .. id
end

-- The token, a new one where there is none.
local function rooted()
  local token = redis.call('GET', KEYS[1])
  if not token then
    token = ARGV[3]
    redis.call('SET', KEYS[1], token, 'EX', ROOT_TTL)
  end
  return token
end

-- Leave to fill something: one at a time. What happens to it meanwhile is noted there (`applied`).
local function lease(token, family, id)
  local key = name('filling', token, family .. ':' .. id)
  if redis.call('HSETNX', key, 'by', ARGV[3]) == 0 then
    return false
  end
  redis.call('PEXPIRE', key, FILL_TTL_MS)
  return true
end

-- Whether what was read at that position may be filled in by whoever has the lease: nothing happened to it after that position.
local function redeem(token, family, id, by, position)
  local key = name('filling', token, family .. ':' .. id)
  local held = redis.call('HMGET', key, 'by', 'applied')
  if held[1] ~= by then
    return false
  end
  redis.call('DEL', key)
  return tonumber(held[2] or '0') <= tonumber(position)
end

-- Something happened at that position: whoever is filling must have read it.
local function happened(token, family, id, position)
  local key = name('filling', token, family .. ':' .. id)
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'applied', position)
  end
end
