-- Finds a batch in a lane's queue.
--
-- KEYS: queue, later, inflight, parked, entry:<id>
-- ARGV: batchId
-- Answer: nothing, or facts, state, attempt, when it may be tried again, last failure (JSON or '');
--   no time where it waits for something else
local entry = redis.call('HMGET', KEYS[5], 'facts', 'attempt', 'lastFailure')
if not entry[1] then return {} end
local state, atMs = 'waiting', ''
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
  state = 'in-flight'
elseif redis.call('SISMEMBER', KEYS[4], ARGV[1]) == 1 then
  state = 'parked'
else
  local queue = redis.call('HMGET', KEYS[1], 'paused', 'claimAtMs')
  if queue[1] ~= '1' then
    local laterMs = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0)
    atMs = string.format('%.0f', math.max(laterMs, tonumber(queue[2] or 0)))
  end
end
return { entry[1], state, tonumber(entry[2]), atMs, entry[3] or '' }
