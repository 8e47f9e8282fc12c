-- Which devices of those people are there.
--
-- KEYS      a person's devices in a workspace each, as heartbeat.lua writes them; all of one workspace, and so on one node of a cluster.
-- returns   for each person a list of what their devices say, without those that say nothing any more: `<since> <status> <device>`.
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
