-- SPDX-License-Identifier: Apache-2.0
--
-- What numbers of the wire are called, the fields that packets are shown with, and how what is wrong is marked. Returns a
-- table of them.

local names = {}
names.forms = {[0] = "Path", "Knock", "Cookie", "Accept", "Refuse"}
names.kinds = {"Ping", "Message", "Large", "Chunk", "Grant", "Acknowledgement", "Close", "Allowance"}
names.metas = {"data", "request", "reply", "lane open", "lane close", "lane waiting", "lane reset", "credit", "idle ask",
	"idle yes", "idle no", "idle off", "idle close"}
names.errors = {
	[0] = "none",
	[1] = "EPERM", [2] = "ENOENT", [4] = "EINTR", [5] = "EIO", [6] = "ENXIO", [9] = "EBADF", [11] = "EAGAIN",
	[12] = "ENOMEM", [13] = "EACCES", [14] = "EFAULT", [16] = "EBUSY", [17] = "EEXIST", [19] = "ENODEV", [22] = "EINVAL",
	[24] = "EMFILE", [28] = "ENOSPC", [32] = "EPIPE", [34] = "ERANGE", [38] = "ENOSYS", [71] = "EPROTO",
	[90] = "EMSGSIZE", [95] = "ENOTSUP", [98] = "EADDRINUSE", [110] = "ETIMEDOUT", [111] = "ECONNREFUSED",
	[125] = "ECANCELED", [2000] = "EPEERRESET", [2001] = "EFORK", [2002] = "EVERSION", [2003] = "EQUOTA",
	[2004] = "EDEGRADED", [2005] = "ETRUNCATED", [2006] = "EUNREACHABLE", [2007] = "ECLOSED", [2008] = "ENOCHANNEL",
}


local F = {}
names.fields = F

local function field(name, type, title, ...)
	F[name] = ProtoField[type]("weft." .. name, title, ...)
end
field("steer", "uint16", "Steer (index of the receiving port)")
field("version", "uint8", "Version", base.DEC, nil, 0xf0)
field("hurry", "bool", "Its sender waits for the acknowledgement", 8, nil, 0x08)
field("form", "uint8", "Form", base.DEC, names.forms, 0x07)
field("epoch", "uint8", "Epoch of the key")
field("tag", "uint32", "Tag (CRC-32C)", base.HEX)
field("tag.status", "uint8", "Tag status", base.DEC, {[0] = "bad", "good", "unverified"})
field("path", "uint64", "Path (the receiver's name for it)", base.HEX)
field("number", "uint64", "Packet number")
field("to_path", "uint64", "The receiver's name for the path", base.HEX)
field("from_path", "uint64", "The sender's name for the path", base.HEX)
field("incarnation", "uint64", "The sender's incarnation", base.HEX)
field("port", "uint16", "The sender's port for the path")
field("code", "uint32", "Error", base.DEC, names.errors)
field("cookie", "bytes", "Cookie")
field("hello.len", "uint16", "Length of the hello")
field("hello", "none", "Hello")
field("hello.protocol", "uint32", "Version of the protocol")
field("hello.spread", "uint32", "Spread")
field("hello.role", "uint8", "Role", base.DEC, {"leaf", "member", "leaf and member"})
field("hello.node", "string", "Node")
field("hello.worker", "string", "Worker")
field("hello.target", "string", "Wanted worker")
field("frame", "none", "Frame")
field("frame.kind", "uint8", "Kind", base.DEC, names.kinds, 0x0f)
field("frame.class", "uint8", "Class", base.DEC, {[0] = "express", "normal"}, 0x10)
field("frame.wants", "bool", "More waits for a grant", 8, nil, 0x20)
field("frame.stream", "uint8", "Stream")
field("frame.len", "uint16", "Length of what follows the head")
field("frame.sequence", "uint32", "Number in the stream")
field("lane", "uint16", "Lane")
field("data", "bytes", "Data")
field("padding", "bytes", "Padding")
field("total", "uint64", "Bytes of the large message")
field("chunk.offset", "uint64", "Offset")
field("grant.up_to", "uint64", "May be sent up to")
field("allowance.number", "uint32", "Number of the allowance")
field("allowance.bytes", "uint64", "Bytes that may go without a grant")
field("close.reason", "uint32", "Reason", base.DEC, names.errors)
field("ack.marks_told", "bool", "The count of marks is told", 8, nil, 0x10)
field("ack.ranges", "uint16", "Number of ranges")
field("ack.delay", "uint32", "Held back (us)")
field("ack.marks", "uint64", "Marks of congestion so far")
field("ack.range", "none", "Range")
field("ack.last", "uint64", "Largest number of the range")
field("ack.first", "uint64", "Smallest number of the range")
field("ack.gap", "uint32", "Distance from the smallest before")
field("ack.before", "uint64", "How many before it")
field("meta", "uint64", "Meta", base.HEX)
field("meta.kind", "uint8", "Kind", base.DEC, names.metas)
field("meta.flags", "uint8", "Flags", base.HEX)
field("meta.header", "bool", "Has a header", 8, nil, 0x01)
field("meta.ack_now", "bool", "Say at once when it is delivered", 8, nil, 0x02)
field("meta.error", "bool", "An error instead of data", 8, nil, 0x04)
field("meta.any_size", "bool", "The next message may exceed the limit of bytes", 8, nil, 0x08)
field("meta.short", "bool", "Better copied than kept", 8, nil, 0x10)
field("meta.lane", "uint16", "Lane")
field("meta.sequence", "uint32", "Sequence number")
field("header.tag", "uint64", "Tag of the header", base.HEX)
field("header.immediate", "uint64", "Immediate of the header", base.HEX)
field("request.id", "uint64", "Request id", base.HEX)
field("reply.status", "int32", "Status")
field("terms.delivery", "uint8", "Delivery", base.DEC, {[0] = "reliable", "best effort", "latest only"})
field("terms.priority", "uint8", "Priority", base.DEC, {[0] = "urgent", "high", "normal", "bulk"})
field("terms.max_message", "uint64", "Longest message")
field("terms.channel", "string", "Channel")
field("credit.delivered", "uint32", "Messages delivered before")
field("credit.limit", "uint32", "Messages may be sent before")
field("credit.limit_bytes", "uint64", "Bytes may be sent since the lane was opened")
field("credit.max_message", "uint64", "Longest message of the channel")

local E = {
	malformed = ProtoExpert.new("weft.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR),
	tag = ProtoExpert.new("weft.tag.bad", "The tag does not fit the packet", expert.group.CHECKSUM, expert.severity.ERROR),
	version = ProtoExpert.new("weft.version.unknown", "Of another version", expert.group.UNDECODED, expert.severity.WARN),
	cut = ProtoExpert.new("weft.cut", "The capture has not all of this packet", expert.group.UNDECODED,
		expert.severity.NOTE),
}
names.experts = E

-- Marks an item as malformed; false, so that readers can return it.
function names.malformed(item, why)
	item:add_proto_expert_info(E.malformed, why)
	return false
end

return names
