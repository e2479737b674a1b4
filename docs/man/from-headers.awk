# SPDX-License-Identifier: Apache-2.0
# One public header to one manual page; see from-headers. A comment speaks of the declarations that follow it up to an
# empty line or the next comment. Fields and enumerators have theirs on the same line.

# ---- text ----

function escape(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text ~ /^[.']/ ? "\\\\&" text : text
}
# Names of functions and constants stand out.
function marked(text) {
	text = escape(text)
	gsub(/weft_[a-z0-9_]*[a-z0-9](\(\))?/, "\\fB&\\fR", text)
	gsub(/(\\-)?WEFT_[A-Z0-9_]*[A-Z0-9]/, "\\fB&\\fR", text)
	gsub(/Thread:/, "\\fB&\\fR", text)
	return text
}
function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	gsub(/[ \t]+/, " ", text)
	return text
}
function add(text) {
	body = body text "\n"
}
# Without the star that a line of a comment begins with.
function uncommented(line) {
	sub(/^[ \t]*/, "", line)
	if (line ~ /^\*/)
		line = substr(line, 2)
	return substr(line, 1, 1) == " " ? substr(line, 2) : line
}
# A comment's lines: paragraphs, and what is indented as it stands.
function add_comment(lines, count,    i, verbatim) {
	for (i = 1; i <= count; i++) {
		if (lines[i] ~ /^  /) {
			if (!verbatim++)
				add(".PP\n.nf")
			add(escape(lines[i]))
			continue
		}
		if (verbatim) {
			add(".fi\n.PP")
			verbatim = 0
		}
		if (lines[i] == "")
			add(introduced > 1 ? ".IP" : ".PP")
		else
			add(marked(trim(lines[i])))
	}
	if (verbatim)
		add(".fi")
}
# Breaks a declaration at its commas.
function wrapped(text,    line, out, part, parts, n, i) {
	n = split(text, parts, ", ")
	for (i = 1; i <= n; i++) {
		part = parts[i] (i < n ? "," : "")
		if (line != "" && length(line) + length(part) > 70) {
			out = out escape(line) "\n"
			line = "        " part
		} else {
			line = line == "" ? part : line " " part
		}
	}
	return out escape(line)
}

# ---- groups of declarations under one comment ----

function end_group() {
	if (tags == "" && comment_count) {
		add(".PP")
		add_comment(comment, comment_count)
	} else if (tags != "") {
		add(".TP\n" tags)
		if (comment_count)
			add_comment(comment, comment_count)
	}
	comment_count = 0
	tags = ""
}
function tag(text) {
	if (text == last_tag) # a macro that is defined in two ways
		return
	last_tag = text
	tags = tags (tags == "" ? "" : "\n.TQ\n") "\\fB" text "\\fR"
}
function declared(text,    name, at) {
	sub(/^WEFT_API /, "", text)
	text = trim(text)
	sub(/ (WEFT_PRINTF\([^)]*\)|WEFT_MUST_CHECK|__attribute__.*);$/, ";", text)
	name = text
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
	if (text ~ /^(static inline )?[a-z].*\(/ && text !~ /^(typedef|struct [a-z_]* *;)/) {
		print name >functions
		count++
		names = names (names == "" ? "" : ", ") name
		synopsis = synopsis wrapped(text) "\n"
		tag(name "()")
	} else if (text ~ /^typedef/) {
		tag(escape(text))
	} else if (text ~ /^weft_[a-z_]* [a-z_]*;$/) {
		sub(/;$/, "", text) # a function of a named type: weft_log_sink_fn weft_log_to_stderr
		name = text
		sub(/.* /, "", name)
		print name >functions
		names = names (names == "" ? "" : ", ") name
		synopsis = synopsis escape(text) ";\n"
		tag(name "()")
	}
}

# ---- structures and enumerations ----

function begin_type(text) {
	sub(/ *\{.*/, "", text)
	tag(text)
	if (!comment_count)
		comment[++comment_count] = text ~ /^enum/ ? "One of:" : "Its fields:"
	end_group()
	add(".RS")
	depth = 1
}
function member(text,    note, at, bare) {
	if (text ~ /^[ \t]*$/)
		return
	if (text ~ /^[ \t]*\/\*/) {
		if (fields != "")
			flush_fields()
		note = text
		gsub(/^[ \t]*\/\*+ ?| ?\*\/[ \t]*$/, "", note)
		add(".PP\n" marked(trim(note)))
		noting = text !~ /\*\//
		return
	}
	at = index(text, "/*")
	note = at ? substr(text, at + 2) : ""
	bare = trim(at ? substr(text, 1, at - 1) : text)
	sub(/,$/, "", bare)
	if (bare != "")
		fields = fields (fields == "" ? "" : "\n.TQ\n") "\\fB" escape(bare) "\\fR"
	if (at) {
		noting = note !~ /\*\//
		sub(/ ?\*\/.*/, "", note)
		field_note = marked(trim(note))
		if (!noting)
			flush_fields()
	}
}
function flush_fields() {
	if (fields != "")
		add(".TP\n" fields (field_note == "" ? "" : "\n" field_note))
	fields = field_note = ""
}

# ---- the header, line by line ----

FNR == 1 { next }
in_comment {
	line = $0
	last = line ~ /\*\//
	sub(/ *\*\/.*/, "", line)
	line = uncommented(line)
	if (!(last && line == ""))
		comment[++comment_count] = line
	if (last) {
		in_comment = 0
		if (!introduced) {
			introduced = 1
			for (i = 1; i <= comment_count && comment[i] != ""; i++)
				first = first (i > 1 ? " " : "") comment[i]
			add_comment(comment, comment_count)
			comment_count = 0
			introduced = 2
		}
	}
	next
}
noting {
	line = $0
	last = line ~ /\*\//
	sub(/ *\*\/.*/, "", line)
	line = uncommented(line)
	if (fields != "")
		field_note = field_note " " marked(trim(line))
	else
		add(marked(trim(line)))
	if (last) {
		noting = 0
		flush_fields()
	}
	next
}
depth {
	if (skipping) { # the body of an inline function
		depth += gsub(/\{/, "{") - gsub(/\}/, "}")
		if (!depth)
			skipping = 0
		next
	}
	if ($0 ~ /^\}/) {
		flush_fields()
		add(".RE")
		depth = 0
		next
	}
	if ($0 !~ /^#/)
		member($0)
	next
}
continued { # a macro
	if (match($0, /X\([A-Z]+, [0-9]+, "[^"]*"\)/)) {
		split(substr($0, RSTART + 2, RLENGTH - 3), cell, ", ")
		text = substr($0, RSTART, RLENGTH)
		sub(/^[^"]*"/, "", text)
		sub(/"\)$/, "", text)
		add(".TP\n\\fBWEFT_" cell[1] "\\fR (" cell[2] ")\n" escape(text))
	}
	continued = $0 ~ /\\$/
	next
}
/^\/\* ---- .* ---- \*\/$/ {
	end_group()
	gsub(/^\/\* ---- | ---- \*\/$/, "")
	add(".SS " marked($0))
	next
}
/^\/\*/ {
	end_group()
	line = $0
	sub(/^\/\* ?/, "", line)
	in_comment = line !~ /\*\//
	sub(/ *\*\/.*/, "", line)
	if (line != "")
		comment[++comment_count] = line
	next
}
/^#define WEFT_[A-Z0-9_]*(\(| [^ ])/ && $0 !~ /_H$/ {
	continued = $0 ~ /\\$/
	line = $0
	sub(/^#define /, "", line)
	if (line ~ /^[A-Z_0-9]*\(/)
		sub(/\).*/, ")", line)
	sub(/ *\/\*.*| *\\$/, "", line)
	tag(escape(line))
	if (continued)
		end_group()
	next
}
/^#/ || /^WEFT_(BEGIN|END)_DECLS/ || /^_Static_assert/ { next }
/^$/ { end_group(); next }
{
	if (pending == "" && $0 ~ /^(struct|enum|union) [a-z_]* \{/) {
		begin_type($0)
		if ($0 ~ /\};/) { # on one line
			line = $0
			sub(/^[^{]*\{/, "", line)
			sub(/\};.*/, "", line)
			member(line)
			flush_fields()
			add(".RE")
			depth = 0
		}
		next
	}
	pending = pending (pending == "" ? "" : " ") $0
	if (pending ~ /^static inline/ && $0 == "{") {
		sub(/ *\{$/, ";", pending)
		declared(pending)
		pending = ""
		depth = skipping = 1
	} else if ($0 ~ /;[ \t]*(\/\*.*\*\/)?$/) {
		sub(/[ \t]*\/\*.*/, "", pending)
		declared(pending)
		pending = ""
	}
}
END {
	end_group()
	short = first
	sub(/[.;,(] .*|[.:]$| [(].*/, "", short)
	short = tolower(substr(short, 1, 1)) substr(short, 2)
	printf ".\\\" Made from <%s>.\n", header
	printf ".TH %s 3 \"\" \"weft %s\" \"weft\"\n", toupper(page), version
	printf ".SH NAME\n%s \\- %s\n", names == "" ? page : names, escape(short)
	printf ".SH SYNOPSIS\n.nf\n.B #include <%s>\n.PP\n%s.fi\n", header, synopsis
	printf ".SH DESCRIPTION\n%s", body
	if (synopsis ~ /(^|\n)int weft_/) {
		printf ".SH ERRORS\nA function that can fail returns 0, or a negative code; those of system calls equal\n"
		printf ".BR errno (3).\n.BR weft_last_error (3)\ngives the sentence that goes with it.\n"
	}
	if (examples != "")
		printf ".SH EXAMPLES\n%s\n", escape(examples)
	printf ".SH SEE ALSO\n.BR weft (7),\n.BR weft_errors (3)\n"
}
