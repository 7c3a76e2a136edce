-- Shares a source's partitions out among the nodes that read it (partition-leases.ts).
--
-- KEYS: 1 readers, 2 leases
-- ARGV: 1 node that asks, 2 now (wall ms), 3 for how long it is taken to read on (ms), 4… partitions that can
--   be read, each once
-- Answer: the partitions that are this node's
--
-- A node beyond its share lets go of the last ones, and the others take what is free when they ask: so all is
-- shared out once each has asked twice. The nodes' clocks are compared; where they differ by more than that
-- time, one node reads what is another's, too, and that costs work only.

local node, nowMs, forMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local untilMs = string.format('%.17g', nowMs + forMs)
local FIRST_PARTITION = 4

redis.call('HSET', KEYS[1], node, untilMs)
local readerCount = 0
local readers = redis.call('HGETALL', KEYS[1])
for i = 1, #readers, 2 do
  if tonumber(readers[i + 1]) > nowMs then
    readerCount = readerCount + 1
  else
    redis.call('HDEL', KEYS[1], readers[i])
  end
end
local share = math.ceil((#ARGV - FIRST_PARTITION + 1) / readerCount)

-- By partition; without those that are free
local holders = {}
local leases = redis.call('HGETALL', KEYS[2])
for i = 1, #leases, 2 do
  local leaseUntilMs, holder = string.match(leases[i + 1], '^(%S+) (.*)$')
  if tonumber(leaseUntilMs) > nowMs then
    holders[leases[i]] = holder
  else
    redis.call('HDEL', KEYS[2], leases[i])
  end
end

-- Keeps what it has, as far as that is its share, and takes what is free.
local held = {}
local function hold(isToHave)
  for i = FIRST_PARTITION, #ARGV do
    local partition = ARGV[i]
    if #held == share then return end
    if isToHave(partition) then
      held[#held + 1] = partition
      redis.call('HSET', KEYS[2], partition, untilMs .. ' ' .. node)
    end
  end
end
hold(function(partition) return holders[partition] == node end)
local kept = {}
for _, partition in ipairs(held) do kept[partition] = true end
for partition, holder in pairs(holders) do
  if holder == node and not kept[partition] then redis.call('HDEL', KEYS[2], partition) end
end
hold(function(partition) return not holders[partition] end)

redis.call('PEXPIRE', KEYS[1], math.ceil(forMs))
redis.call('PEXPIRE', KEYS[2], math.ceil(forMs))
return held
