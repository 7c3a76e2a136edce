-- Decides which batch of a lane gets a job, if it may have one more in flight: at most one waits for a
-- worker at a time. One whose job waits at the wrong place, or for too long, is to be released anew.
--
-- KEYS: queue, due, inflight, lent
-- ARGV: nowMs, claims in flight that a lane may have, an id of this call (so it may be repeated)
-- Answer: whether the lane is a suspect, the batch whose job waits ('' for none), in which of the two
--   queues, not before which time, whether its job is to be added now
-- @include lane
local nowMs = tonumber(ARGV[1])
local lane = laneOf({ queue = KEYS[1], inflight = KEYS[3], lent = KEYS[4] })
local suspect = lane.suspect and 1 or 0
local place = lane.suspect and 'probes' or 'deliveries'
local batchId = lane.next
if batchId then
  local repeated = lane.nextBy == ARGV[3]
  local right = lane.nextIn == place and lane.nextAtMs <= math.max(nowMs, lane.claimAtMs)
  if repeated or right or not mayHaveMore(lane, tonumber(ARGV[2])) then
    return { suspect, batchId, lane.nextIn, string.format('%.0f', lane.nextAtMs), repeated and 1 or 0 }
  end
else
  batchId = mayHaveMore(lane, tonumber(ARGV[2])) and redis.call('LPOP', KEYS[2])
  if not batchId then return { suspect, '', '', '0', 0 } end
end
-- Removing comes first: it is allowed also when Redis is full, and so is all that follows it.
forgetNext(KEYS[1])
redis.call('HSET', KEYS[1], 'next', batchId, 'nextIn', place,
  'nextAtMs', string.format('%.0f', lane.claimAtMs), 'nextBy', ARGV[3])
return { suspect, batchId, place, string.format('%.0f', lane.claimAtMs), 1 }
