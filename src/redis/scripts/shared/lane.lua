-- laneOf(keys): what a lane is doing.
-- keys: queue, inflight, lent
local function laneOf(keys)
  local fields = redis.call('HMGET', keys.queue,
    'paused', 'failureCount', 'claimAtMs', 'next', 'nextIn', 'nextAtMs', 'nextBy')
  local lentCount = redis.call('SCARD', keys.lent)
  local failureCount = tonumber(fields[2] or 0)
  return {
    paused = fields[1] == '1',
    failureCount = failureCount,
    claimAtMs = tonumber(fields[3] or 0),
    next = fields[4],
    nextIn = fields[5],
    nextAtMs = tonumber(fields[6] or 0),
    nextBy = fields[7],
    lentCount = lentCount,
    inFlightCount = redis.call('HLEN', keys.inflight),
    suspect = failureCount > 0 or lentCount > 0,
  }
end

-- mayHaveMore(lane, claimsMax): whether one more of its batches may be in flight: a suspect has one as a
-- probe, a lane that has lent a claim four.
local function mayHaveMore(lane, claimsMax)
  if lane.paused then return false end
  local limit = claimsMax
  if lane.failureCount > 0 then
    limit = 1
  elseif lane.lentCount > 0 then
    limit = math.min(4, claimsMax)
  end
  return lane.inFlightCount < limit
end

-- forgetNext(queue): no batch's job is waiting any more.
local function forgetNext(queue)
  redis.call('HDEL', queue, 'next', 'nextIn', 'nextAtMs', 'nextBy')
end
