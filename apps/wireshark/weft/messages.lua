-- SPDX-License-Identifier: Apache-2.0
--
-- What stands inside messages: fabric/wire/meta.h and control.c, and the hello of a handshake. Returns a table of functions.

local names = ...
if not names then
	return -- Wireshark reads every file of its folders for plugins by itself
end
local F, E, metas, malformed = names.fields, names.experts, names.metas, names.malformed
local PROTOCOL, NAME_MAX, LANES = 2, 64, 64
local REQUEST, REPLY, LANE_OPEN, CREDIT, IDLE_ASK = 2, 3, 4, 8, 9

-- A name with its length before it, at an offset of range: where the next thing is, and the name; nil: it is none.
local function read_name(tree, id, range, at, may_be_empty)
	local len = at < range:len() and range(at, 1):uint()
	if not len or len > NAME_MAX or at + 1 + len > range:len() or (len == 0 and not may_be_empty) then
		return nil
	end
	local name = len > 0 and range(at + 1, len):raw() or ""
	if len > 0 and not name:find("^[%w_-][%w._-]*$") then
		return nil
	end
	tree:add(F[id], range(at, 1 + len), name)
	return at + 1 + len, name
end

local function hello(tree, range)
	local item = tree:add(F.hello, range)
	if range:len() < 9 then
		return malformed(item, "A hello is longer")
	end
	item:add_le(F["hello.protocol"], range(0, 4))
	if range(0, 4):le_uint() ~= PROTOCOL then
		item:add_proto_expert_info(E.version, "A hello of another version of the protocol")
		return
	end
	item:add_le(F["hello.spread"], range(4, 4))
	local role, at, node = item:add(F["hello.role"], range(8, 1)), 9, nil
	if range(8, 1):uint() < 1 or range(8, 1):uint() > 3 then
		malformed(role, "No role")
	end
	at, node = read_name(item, "hello.node", range, at, false)
	at = at and read_name(item, "hello.worker", range, at, true)
	at = at and read_name(item, "hello.target", range, at, true)
	if at ~= range:len() then
		return malformed(item, "A hello is three names long")
	end
	return node
end

local function lane_terms(tree, range)
	local at, channel
	if range:len() < 12 then
		return malformed(tree, "Terms of a lane are longer")
	end
	local delivery, priority = tree:add(F["terms.delivery"], range(0, 1)), tree:add(F["terms.priority"], range(1, 1))
	if range(0, 1):uint() > 2 then
		malformed(delivery, "No kind of delivery")
	end
	if range(1, 1):uint() > 3 then
		malformed(priority, "No priority")
	end
	tree:add_le(F["terms.max_message"], range(2, 8))
	at, channel = read_name(tree, "terms.channel", range, 10, false)
	if at ~= range:len() then
		return malformed(tree, "Terms of a lane end with the name of a channel")
	end
	return " of " .. channel
end

local function credit(tree, range)
	if range:len() ~= 24 then
		return malformed(tree, "Credit has 24 bytes")
	end
	tree:add_le(F["credit.delivered"], range(0, 4))
	tree:add_le(F["credit.limit"], range(4, 4))
	tree:add_le(F["credit.limit_bytes"], range(8, 8))
	tree:add_le(F["credit.max_message"], range(16, 8))
	return string.format(" (%u delivered, up to %u)", range(0, 4):le_uint(), range(4, 4):le_uint())
end

-- Header and request id, as flags and kind say. Where the data begins; nil: they are not all there.
local function message_heads(tree, range, kind, flags)
	local at = 0
	local want = (flags % 2 == 1 and kind ~= REPLY) and 16 or 0
	if range:len() < want + ((kind == REQUEST or kind == REPLY) and 8 or 0) then
		malformed(tree, "Header or request id is cut")
		return nil
	end
	if want > 0 then
		tree:add_le(F["header.tag"], range(0, 8))
		tree:add_le(F["header.immediate"], range(8, 8))
		at = 16
	end
	if kind == REQUEST or kind == REPLY then
		tree:add_le(F["request.id"], range(at, 8))
		at = at + 8
	end
	return at
end

-- What a message carries, or what a large one has beside its bytes; range is nil where there is nothing.
local function message_body(tree, tvb, at, len, kind, flags, is_large)
	local range = tvb(at, len)
	if kind == LANE_OPEN then
		return lane_terms(tree, range)
	elseif kind == CREDIT then
		return credit(tree, range)
	end
	local begin = kind <= REPLY and message_heads(tree, range, kind, flags) or 0
	local is_error = kind == REPLY and math.floor(flags / 4) % 2 == 1
	if is_error and len == begin + 4 then
		tree:add_le(F["reply.status"], range(begin, 4))
	elseif is_error or (is_large and len > begin) then
		malformed(tree, is_error and "An error has 4 bytes" or "Beside a large message there is more than its heads")
	elseif len > begin then
		tree:add(F.data, range(begin))
	end
end

-- The eight bytes before a message: kind, flags, lane, sequence number. Returns a text, kind and flags.
local function meta(tree, range, stream)
	local item = tree:add_le(F.meta, range)
	local kind, flags, lane = range(0, 1):uint(), range(1, 1):uint(), range(2, 2):le_uint()
	local kind_item = item:add(F["meta.kind"], range(0, 1))
	local flag_item = item:add(F["meta.flags"], range(1, 1))
	for _, flag in ipairs({"header", "ack_now", "error", "any_size", "short"}) do
		flag_item:add(F["meta." .. flag], range(1, 1))
	end
	local lane_item = item:add_le(F["meta.lane"], range(2, 2))
	item:add_le(F["meta.sequence"], range(4, 4))
	if not metas[kind] then
		malformed(kind_item, "No kind of message")
	elseif kind >= IDLE_ASK and stream ~= 2 * LANES + lane then
		malformed(lane_item, "What is said of an idle link goes on the streams 128 and 129")
	elseif kind < IDLE_ASK and (lane >= LANES or stream % LANES ~= lane or stream >= 2 * LANES) then
		malformed(lane_item, "The lane of a message is that of its stream")
	end
	return metas[kind] or "message", kind, flags
end

return {hello = hello, body = message_body, meta = meta}
