-- seal(lane, batch, made): a batch with all its chunks becomes a sealed one: in one step it is in the store,
-- the books and the queue. Answers its facts, the JSON of its SealedBatch. Needs accept and enqueue.
-- lane, batch: laneKeys(), batchKeys()
-- made: batchId, streamId, lane, recordCount, dataBytes, storedBytes, firstArrivalMs, lastArrivalMs,
--   sealedAtMs, sealReason, wrappedDataKey ('': none), sealedBy (the call that seals it)

-- KEYS[1..12], which every script of the store begins with that makes or seals batches
local function laneKeys()
  return {
    gone = KEYS[1], open = KEYS[2], sealed = KEYS[3], usage = KEYS[4],
    receipts = KEYS[5], accepted = KEYS[6], books = KEYS[7], replays = KEYS[8], imported = KEYS[9],
    queued = KEYS[10], queue = KEYS[11], due = KEYS[12],
  }
end

-- KEYS[first..first + 3]
local function batchKeys(first)
  return {
    batch = KEYS[first], chunks = KEYS[first + 1], index = KEYS[first + 2], entry = KEYS[first + 3],
  }
end

-- cjson would round what has more than 14 digits
local function exactly(number)
  return string.format('%.17g', number)
end

local function factsOf(made)
  local lane = ''
  if tonumber(made.lane) > 0 then lane = ',"lane":' .. made.lane end
  return '{"batchId":"' .. made.batchId .. '","streamId":"' .. made.streamId
    .. '","recordCount":' .. exactly(made.recordCount) .. ',"dataBytes":' .. exactly(made.dataBytes)
    .. ',"storedBytes":' .. exactly(made.storedBytes)
    .. ',"firstArrivalMs":' .. exactly(made.firstArrivalMs)
    .. ',"lastArrivalMs":' .. exactly(made.lastArrivalMs)
    .. ',"sealedAtMs":' .. exactly(made.sealedAtMs)
    .. ',"sealReason":"' .. made.sealReason .. '"' .. lane .. '}'
end

local function seal(lane, batch, made)
  local facts = factsOf(made)
  redis.call('HSET', batch.batch, 'facts', facts, 'sealedBy', made.sealedBy)
  if made.wrappedDataKey ~= '' then
    redis.call('HSET', batch.batch, 'wrappedDataKey', made.wrappedDataKey)
  end
  redis.call('ZADD', lane.sealed, exactly(made.firstArrivalMs), made.batchId)
  accept(lane, made.batchId, made.recordCount)
  enqueue(
    { queued = lane.queued, entry = batch.entry, queue = lane.queue, due = lane.due },
    made.batchId, facts, made.recordCount, made.dataBytes, exactly(made.firstArrivalMs)
  )
  return facts
end
