-- Returns the present devices of some users.
--
-- KEYS      for each user, the hash of devices that heartbeat.lua writes. All are of one workspace, and so on one node
--           of a cluster.
-- returns   for each user, the list of the devices that have not expired: `<since> <status> <device>`.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local people = {}
for i, key in ipairs(KEYS) do
    local there = {}
    for _, said in ipairs(redis.call('HVALS', key)) do
        local holds_until, rest = string.match(said, '^(%d+) (.*)$')
        if tonumber(holds_until) > now then
            there[#there + 1] = rest
        end
    end
    people[i] = there
end
return people
