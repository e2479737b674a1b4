-- SPDX-License-Identifier: Apache-2.0
--
-- One packet: its head, and what a handshake says (fabric/path/greeting.c). Returns the function that reads one.

local names, messages, frame = ...
if not names then
	return -- Wireshark reads every file of its folders for plugins by itself
end
local F, E, forms, errors, malformed = names.fields, names.experts, names.forms, names.errors, names.malformed
local VERSION, PACKET_HEAD, GREETING_HEAD, KNOCK_BYTES, HELLO_MAX = 2, 24, 72, 576, 256

local function greeting(tree, tvb, form, reported)
	if tvb:len() < GREETING_HEAD then
		tree:add_proto_expert_info(tvb:len() < reported and E.cut or E.malformed, "Packets of the handshake are longer")
		return ""
	end
	local hello_len, code = tvb(50, 2):le_uint(), tvb(52, 4):le_uint()
	tree:add_le(F.to_path, tvb(24, 8))
	tree:add_le(F.from_path, tvb(32, 8))
	tree:add_le(F.incarnation, tvb(40, 8))
	tree:add_le(F.port, tvb(48, 2))
	local len_item = tree:add_le(F["hello.len"], tvb(50, 2))
	tree:add_le(F.code, tvb(52, 4))
	tree:add(F.cookie, tvb(56, 16))
	if form == 1 and reported ~= KNOCK_BYTES then
		malformed(tree, "A knock has 576 bytes")
	end
	if hello_len > HELLO_MAX or hello_len > reported - GREETING_HEAD then
		malformed(len_item, "A hello has at most 256 bytes, within its packet")
	elseif hello_len > tvb:len() - GREETING_HEAD then
		len_item:add_proto_expert_info(E.cut)
	elseif hello_len > 0 then
		local node = messages.hello(tree, tvb(GREETING_HEAD, hello_len))
		return node and " from " .. node or ""
	elseif form == 1 or form == 3 then
		malformed(len_item, "Who knocks or accepts says hello")
	end
	return form == 4 and " " .. (errors[code] or tostring(code)) or ""
end

-- The head of a packet, into the tree. Returns its form; nil: it cannot be read on.
local function packet_head(tree, tvb, tag)
	local second = tvb(2, 1):uint()
	local form = second % 8
	tree:add(F.steer, tvb(0, 2))
	local version_item = tree:add(F.version, tvb(2, 1))
	if math.floor(second / 16) ~= VERSION then
		version_item:add_proto_expert_info(E.version, "This reads version " .. VERSION)
		return nil
	end
	tree:add(F.hurry, tvb(2, 1))
	local form_item = tree:add(F.form, tvb(2, 1))
	local epoch_item = tree:add(F.epoch, tvb(3, 1))
	local tag_item = tree:add_le(F.tag, tvb(4, 4))
	tag_item:add(F["tag.status"], tvb(4, 4), tag):set_generated()
	if tag == 0 then
		tag_item:add_proto_expert_info(E.tag)
	end
	tree:add_le(F.path, tvb(8, 8))
	tree:add_le(F.number, tvb(16, 8))
	if not forms[form] then
		malformed(form_item, "No form of packets")
		return nil
	elseif tvb(3, 1):uint() ~= 0 then
		malformed(epoch_item, "There are no keys in this version")
		return nil
	end
	return form
end

-- Below root as weft; tag says how its tag fits (0 bad, 1 good, 2 not all of it is there). Returns a text for the info column.
local function packet(weft, root, tvb, reported, tag)
	local tree = root:add(weft, tvb())
	if tvb:len() < PACKET_HEAD then
		tree:add_proto_expert_info(tvb:len() < reported and E.cut or E.malformed, "Packets have a head of 24 bytes")
		return "Too short"
	end
	local form = packet_head(tree, tvb, tag)
	if not form then
		return "Unknown packet"
	end
	local text = forms[form]
	if form ~= 0 then
		text = text .. greeting(tree, tvb, form, reported)
	else
		local texts, at, more = {}, PACKET_HEAD, nil
		while at and at < tvb:len() do
			at, more = frame(tree, tvb, at, tvb:len(), tvb:len() < reported)
			texts[#texts + 1] = more
		end
		text = string.format("#%s %s", tvb(16, 8):le_uint64(), table.concat(texts, "; ", 1, math.min(#texts, 6)))
			.. (#texts > 6 and "; ..." or "")
	end
	tree:append_text(", " .. text)
	return text .. (tag == 0 and " [bad tag]" or "")
end

return packet
