-- Appends chunks to a lane's open batch; opens one and seals as that takes.
--
-- KEYS: 1–12 the lane (laneKeys), 13 writers, 14 positions, 15 requests, 16 requestorder,
--   17–20 the batch that the caller believes open (where it believes in none: the next four again), 21–24
--   the one that is opened if one has to be (batchKeys)
-- ARGV: 1 writer, 2 sequence number (of the writer, rising), 3 stream id, 4 lane, 5 believed batch id ('':
--   none is open), 6 id of the batch that may be opened, 7 now (wall ms), 8 due (wall ms), 9 sizeBytesMax,
--   10 wrapped data key ('': none), 11 forget writers unheard of since (wall ms), 12 how long requests are
--   known (ms), 13 of how many, 14 how many frames come, 15… frames (chunk-frame.ts), all under that data
--   key; then for each frame that has an origin: its place among the frames (from 1), partition, sequence,
--   position, '1' if it passes, else ''
-- Answer: {'gone'}: the stream is deleted
--   {'late'}: the writer has gone on to another call since
--   {'other', batch id}: this batch is open, and not the one that was believed
--   {'moved'}: the first frame's origin is not in its turn
--   {'done', JSON, storedBytes, batchCount}: the latter of the lane. JSON: batchId, firstOrdinal, count (of
--   frames taken, from the first on as long as they fit and are in turn; all go into one batch), opened,
--   isOpen, dataBytes (of the batch now), sealed (list of SealedBatch, in their order)
--
-- A call that is repeated changes nothing and gets the answer of the first.
--
-- How far a partition is read is written in the same step as its chunks, and beside them. A server that
-- loses what it wrote last, in a failover or with the end of its log, loses both: the source is read again
-- from there, and no record is passed over that the source still has. What was delivered of that meanwhile
-- comes twice; Redis's settings say what it may lose (durable-scripts.ts).
-- @include accept
-- @include enqueue
-- @include seal
-- @include open-batch
-- @include origins

-- Of all writers any so many, when a batch is opened: so the silent ones go in time
local WRITERS_LOOKED_AT = 20
local INDEX_ENTRY_BYTES = 16

local lane = laneKeys()
local writers = KEYS[13]
local partitions = { positions = KEYS[14], requests = KEYS[15], requestorder = KEYS[16] }
local writer, sequence = ARGV[1], tonumber(ARGV[2])
local believed, fresh = ARGV[5], ARGV[6]
local nowMs, sizeBytesMax, wrappedDataKey = tonumber(ARGV[7]), tonumber(ARGV[9]), ARGV[10]
local kept = {
  forMs = tonumber(ARGV[12]), sinceMs = nowMs - tonumber(ARGV[12]), countMax = tonumber(ARGV[13]),
}
local frameCount = tonumber(ARGV[14])
local FIRST_FRAME = 15
local ORIGIN_ARGUMENTS = 5

local function done(json)
  local usage = redis.call('HMGET', lane.usage, 'storedBytes', 'batchCount')
  return { 'done', json, tonumber(usage[1] or 0), tonumber(usage[2] or 0) }
end

if redis.call('EXISTS', lane.gone) == 1 then return { 'gone' } end

-- Of each writer: sequence number, time, answer
local last = redis.call('HGET', writers, writer)
if last then
  local lastSequence, answer = string.match(last, '^(%d+) %S+ (.*)$')
  if tonumber(lastSequence) == sequence then return done(answer) end
  if tonumber(lastSequence) > sequence then return { 'late' } end
end

local open = openBatch(lane.open)
if open and open.batchId ~= believed then return { 'other', open.batchId } end

-- A frame's header: version u8, recordCount u32 at 4, arrivalMs f64 at 8, payloadBytes u32 at 16; from
-- version 2 on metadataBytes u32 at 20
local function factsOfFrame(frame)
  local recordCount, arrivalMs, payloadBytes = struct.unpack('<I4dI4', string.sub(frame, 5, 20))
  local metadataBytes = 0
  if string.byte(frame) > 1 then metadataBytes = struct.unpack('<I4', string.sub(frame, 21, 24)) end
  return recordCount, arrivalMs, payloadBytes - 4 * recordCount - metadataBytes
end

-- By the frame's place
local origins = {}
for i = FIRST_FRAME + frameCount, #ARGV, ORIGIN_ARGUMENTS do
  origins[tonumber(ARGV[i])] = {
    partition = ARGV[i + 1], sequence = ARGV[i + 2], position = ARGV[i + 3],
    passing = ARGV[i + 4] == '1',
  }
end

-- Of each partition, what this call comes to
local sequences = {}
local function takeTurn(origin)
  local last = sequences[origin.partition] or lastSequence(partitions, origin, kept.sinceMs)
  if tonumber(origin.sequence) ~= last + 1 then return false end
  sequences[origin.partition] = last + 1
  return true
end

local function fits(batch, dataBytes)
  return batch.dataBytes == 0 or batch.dataBytes + dataBytes <= batch.sizeBytesMax
end

-- 1. What is to be done: nothing is written yet.

local life = serverLife()
local why -- the batch before is sealed
if open then
  local _, _, dataBytes = factsOfFrame(ARGV[FIRST_FRAME])
  if open.serverLife ~= life then
    why = 'recovery'
  elseif open.wrappedDataKey ~= wrappedDataKey then
    why = 'update'
  elseif not fits(open, dataBytes) then
    why = 'size'
  end
end
local into = open
local keys = batchKeys(17)
local opened = not open or why ~= nil
if opened then
  keys = batchKeys(21)
  into = {
    batchId = fresh, recordCount = 0, dataBytes = 0, storedBytes = 0, dueAtMs = tonumber(ARGV[8]),
    sizeBytesMax = sizeBytesMax, wrappedDataKey = wrappedDataKey,
  }
end
local firstOrdinal = into.recordCount
local storedBytesBefore = into.storedBytes
local index = {}
for place = 1, frameCount do
  local frame, origin = ARGV[FIRST_FRAME + place - 1], origins[place]
  local recordCount, arrivalMs, dataBytes = factsOfFrame(frame)
  if not fits(into, dataBytes) or (origin and not takeTurn(origin)) then break end
  if origin then origin.atMs = exactly(arrivalMs) end
  into.recordCount = into.recordCount + recordCount
  into.dataBytes = into.dataBytes + dataBytes
  into.storedBytes = into.storedBytes + #frame + INDEX_ENTRY_BYTES
  into.firstArrivalMs = math.min(into.firstArrivalMs or arrivalMs, arrivalMs)
  into.lastArrivalMs = math.max(into.lastArrivalMs or arrivalMs, arrivalMs)
  index[place] = struct.pack('<I4I4I4I4', recordCount, #frame, dataBytes, 0)
end
-- The first one fits in any case.
if #index == 0 then return { 'moved' } end

-- 2. Done. A full Redis refuses the first of these, and then nothing has happened.

redis.call('HINCRBY', lane.usage, 'storedBytes', into.storedBytes - storedBytesBefore)
if opened then redis.call('HINCRBY', lane.usage, 'batchCount', 1) end

local function sealNow(batch, keys, reason)
  return sealOpen(lane, keys, batch, {
    streamId = ARGV[3], lane = ARGV[4], sealedAtMs = nowMs, sealReason = reason,
    sealedBy = writer .. ' ' .. sequence,
  })
end

local sealed = {}
if why then sealed[1] = sealNow(open, batchKeys(17), why) end
for i = FIRST_FRAME, FIRST_FRAME + #index - 1 do redis.call('RPUSH', keys.chunks, ARGV[i]) end
redis.call('APPEND', keys.index, table.concat(index))

local requestCount = 0
for place = 1, #index do
  local origin = origins[place]
  if origin then enterOrigin(partitions, origin) end
  if origin and origin.passing then requestCount = requestCount + 1 end
end
forgetRequests(partitions, requestCount, kept)

local isOpen = into.dataBytes < into.sizeBytesMax
if isOpen then
  redis.call(
    'HSET', lane.open, 'batchId', into.batchId, 'recordCount', into.recordCount,
    'dataBytes', into.dataBytes, 'storedBytes', into.storedBytes,
    'firstArrivalMs', exactly(into.firstArrivalMs), 'lastArrivalMs', exactly(into.lastArrivalMs),
    'dueAtMs', exactly(into.dueAtMs), 'sizeBytesMax', into.sizeBytesMax, 'serverLife', life
  )
  if wrappedDataKey ~= '' then redis.call('HSET', lane.open, 'wrappedDataKey', wrappedDataKey) end
else
  sealed[#sealed + 1] = sealNow(into, keys, 'size')
end

local answer = '{"batchId":"' .. into.batchId .. '","firstOrdinal":' .. exactly(firstOrdinal)
  .. ',"count":' .. #index .. ',"opened":' .. tostring(opened) .. ',"isOpen":' .. tostring(isOpen)
  .. ',"dataBytes":' .. exactly(into.dataBytes)
  .. ',"sealed":[' .. table.concat(sealed, ',') .. ']}'
redis.call('HSET', writers, writer, exactly(sequence) .. ' ' .. exactly(nowMs) .. ' ' .. answer)

if opened then
  local found = redis.call('HRANDFIELD', writers, WRITERS_LOOKED_AT, 'WITHVALUES')
  for i = 1, #found, 2 do
    local heardAtMs = tonumber(string.match(found[i + 1], '^%d+ (%S+)'))
    if heardAtMs < tonumber(ARGV[11]) then redis.call('HDEL', writers, found[i]) end
  end
end
return done(answer)
