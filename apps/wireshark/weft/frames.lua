-- SPDX-License-Identifier: Apache-2.0
--
-- The frames in packets of a path: fabric/path/packet.c. Returns the function that reads one.

local names, messages = ...
if not names then
	return -- Wireshark reads every file of its folders for plugins by itself
end
local F, E, kinds, errors, malformed = names.fields, names.experts, names.kinds, names.errors, names.malformed
local GRAIN, LARGE_MAX, BESIDE_MAX, ALLOWANCE_MAX, RANGES_MAX = 64, UInt64(1073741824), 32, UInt64(65536), 32
local LANES, STREAMS = 64, 130
local PING, MESSAGE, LARGE, CHUNK, GRANT, ACK, CLOSE, ALLOWANCE = 1, 2, 3, 4, 5, 6, 7, 8
local REQUEST, REPLY, LANE_OPEN, CREDIT = 2, 3, 4, 8 -- of messages

local function u64(range)
	return range:le_uint64()
end

local function stream_text(stream)
	if stream >= 2 * LANES then
		return "alone"
	end
	return stream < LANES and "lane " .. stream or "the peer's lane " .. stream - LANES
end

-- An acknowledgement's ranges, newest first. Returns a text; false: they are none.
local function ack_ranges(item, range, count)
	local last, before, texts = u64(range(8, 8)), u64(range(16, 8)), {}
	for i = 0, count - 1 do
		local at = i == 0 and 8 or 24 + 8 * i
		local part = item:add(F["ack.range"], i == 0 and range(8, 16) or range(at, 8))
		if i > 0 then
			local gap = range(at, 4):le_uint()
			part:add_le(F["ack.gap"], range(at, 4))
			if gap < 2 or UInt64(gap) > last then -- last is the smallest of the range before, here
				return malformed(part, "A range begins above number 0 and does not touch the one before")
			end
			last, before = last - UInt64(gap), UInt64(range(at + 4, 4):le_uint())
		end
		local before_range = i == 0 and range(16, 8) or range(at + 4, 4)
		local last_item = part:add(F["ack.last"], range(at, i == 0 and 8 or 4), last)
		if i > 0 then
			last_item:set_generated()
		end
		part:add(F["ack.before"], before_range, before)
		if before > last then
			return malformed(part, "There are not so many numbers before")
		end
		part:add(F["ack.first"], before_range, last - before):set_generated()
		texts[i + 1] = before == UInt64(0) and tostring(last) or tostring(last - before) .. "-" .. tostring(last)
		part:set_text("Range: " .. texts[i + 1])
		last = last - before
	end
	return "ack " .. (count > 4 and table.concat(texts, ",", 1, 4) .. ",..." or table.concat(texts, ","))
end

-- Each reads what stands behind the head of its kind, where head is the frame's first 8 bytes. All of it is there.
local readers = {}

readers[PING] = function()
	return "ping"
end

readers[MESSAGE] = function(item, tvb, at, len, head)
	local text, kind, flags = messages.meta(item, tvb(at + 8, 8), head.stream)
	local more = len > 0 and messages.body(item, tvb, at + 16, len, kind, flags, false) or ""
	if len == 0 and (kind == REQUEST or kind == REPLY or kind == LANE_OPEN or kind == CREDIT or flags % 2 == 1) then
		malformed(item, "There is nothing of what this kind says")
	end
	return string.format("%s %s #%u%s, %u B", text, stream_text(head.stream), head.sequence, more, len)
end

readers[LARGE] = function(item, tvb, at, len, head)
	local text, kind, flags = messages.meta(item, tvb(at + 8, 8), head.stream)
	local total = item:add_le(F.total, tvb(at + 16, 8))
	if u64(tvb(at + 16, 8)) > LARGE_MAX then
		malformed(total, "Longer than any message may be")
	end
	if len > BESIDE_MAX or kind > REPLY then
		malformed(item, "No large message has so much beside it, or is of such a kind")
	elseif len > 0 then
		messages.body(item, tvb, at + 24, len, kind, flags, true)
	end
	return string.format("large %s %s #%u of %s B", text, stream_text(head.stream), head.sequence, u64(tvb(at + 16, 8)))
end

readers[CHUNK] = function(item, tvb, at, len, head)
	local total, offset = u64(tvb(at + 8, 8)), u64(tvb(at + 16, 8))
	local last = offset + UInt64(len)
	local total_item = item:add_le(F.total, tvb(at + 8, 8))
	local offset_item = item:add_le(F["chunk.offset"], tvb(at + 16, 8))
	if total > LARGE_MAX then
		malformed(total_item, "Longer than any message may be")
	elseif offset > total or last > total then
		malformed(offset_item, "A chunk beyond the end of its message")
	elseif len == 0 or offset % UInt64(GRAIN) ~= UInt64(0) or (len % GRAIN ~= 0 and last ~= total) then
		malformed(offset_item, "A chunk begins at a multiple of 64, and ends at one or at the end")
	end
	if len > 0 then
		item:add(F.data, tvb(at + 24, len))
	end
	return string.format("chunk %s #%u %s+%u of %s%s", stream_text(head.stream), head.sequence, offset, len, total,
		head.wants and " (waits)" or "")
end

readers[GRANT] = function(item, tvb, at, _, head)
	local up_to = item:add_le(F["grant.up_to"], tvb(at + 8, 8))
	if u64(tvb(at + 8, 8)) > LARGE_MAX then
		malformed(up_to, "Beyond the end of any message")
	end
	return string.format("grant %s #%u up to %s", stream_text(head.stream), head.sequence, u64(tvb(at + 8, 8)))
end

readers[ACK] = function(item, tvb, at, count)
	local text = ack_ranges(item, tvb(at, 24 + 8 * count), count)
	item:add_le(F["ack.marks"], tvb(at + 24, 8))
	return text
end

readers[CLOSE] = function(_, _, _, _, head)
	return "close" .. (errors[head.sequence] and " " .. errors[head.sequence] or "")
end

readers[ALLOWANCE] = function(item, tvb, at)
	local bytes = item:add_le(F["allowance.bytes"], tvb(at + 8, 8))
	if u64(tvb(at + 8, 8)) > ALLOWANCE_MAX then
		malformed(bytes, "Beyond the largest allowance")
	end
	return "allowance " .. tostring(u64(tvb(at + 8, 8)))
end

local fixed_len = {[PING] = 8, [MESSAGE] = 16, [LARGE] = 24, [CHUNK] = 24, [GRANT] = 16, [CLOSE] = 8, [ALLOWANCE] = 16}

-- How long a frame is by its head, padding not counted; nil and why: no frame is.
local function frame_len(kind, len)
	if kind == ACK then
		if len < 1 or len > RANGES_MAX then
			return nil, "An acknowledgement has 1 to 32 ranges"
		end
		return 24 + 8 * len
	elseif not fixed_len[kind] then
		return nil, "No kind of frame"
	elseif (kind == MESSAGE or kind == LARGE or kind == CHUNK) or len == 0 then
		return fixed_len[kind] + len
	end
	return nil, "This kind carries nothing"
end

-- The first 8 bytes of a frame, into the tree. Of some kinds the number is another thing.
local function frame_head(item, range, head)
	local of_ack = head.kind == ACK
	item:add(F["frame.kind"], range(0, 1))
	if of_ack or head.kind == MESSAGE or head.kind == LARGE then
		item:add(of_ack and F["ack.marks_told"] or F["frame.class"], range(0, 1))
	end
	if head.kind == LARGE or head.kind == CHUNK then
		item:add(F["frame.wants"], range(0, 1))
	end
	local stream = item:add(F["frame.stream"], range(1, 1))
	item:add_le(of_ack and F["ack.ranges"] or F["frame.len"], range(2, 2))
	local number = {[ACK] = "ack.delay", [CLOSE] = "close.reason", [ALLOWANCE] = "allowance.number"}
	item:add_le(F[number[head.kind] or "frame.sequence"], range(4, 4))
	if head.stream >= STREAMS then
		malformed(stream, "No stream")
	elseif head.kind >= MESSAGE and head.kind <= GRANT and head.stream < 2 * LANES then
		stream:append_text(" (" .. stream_text(head.stream) .. ")")
		item:add(F.lane, range(1, 1), head.stream % LANES):set_generated()
	end
end

-- The frame at an offset, in a packet of which the capture has all to `last`. Returns where the next one is (nil: there
-- is no telling) and a text.
local function frame(tree, tvb, at, last, is_cut)
	local left = last - at
	local item = tree:add(F.frame, tvb(at, math.min(left, 8)))
	if left < 8 then
		item:add_proto_expert_info(is_cut and E.cut or E.malformed, "A frame begins with 8 bytes")
		return nil, "cut"
	end
	local first = tvb(at, 1):uint()
	local head = {kind = first % 16, wants = math.floor(first / 32) % 2 == 1, stream = tvb(at + 1, 1):uint(),
		sequence = tvb(at + 4, 4):le_uint()}
	local len = tvb(at + 2, 2):le_uint()
	local whole, why = frame_len(head.kind, len)
	item:set_text("Frame: " .. (kinds[head.kind] or "?"))
	frame_head(item, tvb(at, 8), head)
	if not whole then
		malformed(item, why)
		return nil, "no frame"
	elseif whole > left then
		item:add_proto_expert_info(is_cut and E.cut or E.malformed, "A frame ends within its packet")
		return nil, (kinds[head.kind]):lower() .. " (cut)"
	end
	local padded = math.min(whole + -whole % 8, left)
	item:set_len(padded)
	local text = readers[head.kind](item, tvb, at, len, head) or "no acknowledgement"
	item:append_text(", " .. text)
	if padded > whole then
		local padding = item:add(F.padding, tvb(at + whole, padded - whole))
		if tvb(at + whole, padded - whole):raw():find("[^\0]") then
			padding:add_proto_expert_info(E.malformed, "Between frames there are zeros")
		end
	end
	return at + padded, text
end

return frame
