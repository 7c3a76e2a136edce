-- Shares a source's partitions out among the nodes that read it (partition-leases.ts).
--
-- KEYS: 1 readers, 2 leases
-- ARGV: 1 node that asks, 2 now (wall ms), 3 for how long it is taken to read on (ms), 4… partitions that can
--   be read, each once
-- Answer: the partitions that are this node's
--
-- A node that gets less than its share says so (readers: until when, 1 or 0), and those beyond theirs let go of
-- the last ones. What nobody wants more of goes to whoever asks: nodes may know different partitions, and one
-- that knows fewer is content with fewer. The nodes' clocks are compared; where they differ by more than that
-- time, one node reads what is another's, too, and that costs work only.

local node, nowMs, forMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local untilMs = string.format('%.17g', nowMs + forMs)
local FIRST_PARTITION = 4

local readerCount = 1
local othersWantMore = false
local readers = redis.call('HGETALL', KEYS[1])
for i = 1, #readers, 2 do
  local readsUntilMs, wantsMore = string.match(readers[i + 1], '^(%S+) (%d)$')
  if tonumber(readsUntilMs) <= nowMs then
    redis.call('HDEL', KEYS[1], readers[i])
  elseif readers[i] ~= node then
    readerCount = readerCount + 1
    othersWantMore = othersWantMore or wantsMore == '1'
  end
end

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

-- All have as many, or one more: the latter is for as many nodes as there are partitions left over.
local partitionCount = #ARGV - FIRST_PARTITION + 1
local share = math.floor(partitionCount / readerCount)
local leftOverCount = partitionCount % readerCount
local counts = {}
for i = FIRST_PARTITION, #ARGV do
  local holder = holders[ARGV[i]]
  if holder and holder ~= node then
    counts[holder] = (counts[holder] or 0) + 1
    if counts[holder] == share + 1 then leftOverCount = leftOverCount - 1 end
  end
end
if leftOverCount > 0 then share = share + 1 end

local held = {}
local isHeld = {}
local function hold(countMax, isToHave)
  for i = FIRST_PARTITION, #ARGV do
    local partition = ARGV[i]
    if #held >= countMax then return end
    if not isHeld[partition] and isToHave(partition) then
      held[#held + 1] = partition
      isHeld[partition] = true
      redis.call('HSET', KEYS[2], partition, untilMs .. ' ' .. node)
    end
  end
end
local function isMine(partition) return holders[partition] == node end
local function isFree(partition) return not holders[partition] end

-- Keeps what it has, and takes what is free.
hold(share, isMine)
hold(share, isFree)
redis.call('HSET', KEYS[1], node, untilMs .. ' ' .. (#held < share and 1 or 0))
if not othersWantMore then
  hold(partitionCount, isMine)
  hold(partitionCount, isFree)
end
for partition, holder in pairs(holders) do
  if holder == node and not isHeld[partition] then redis.call('HDEL', KEYS[2], partition) end
end

redis.call('PEXPIRE', KEYS[1], math.ceil(forMs))
redis.call('PEXPIRE', KEYS[2], math.ceil(forMs))
return held
