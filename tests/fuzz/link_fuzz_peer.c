/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer of the link fuzzer. It knows what the node knows, so that what it says is often right but for one thing.
 */
#include "link_fuzz.h"
#include "mock_driver.h"
#include "wire/meta.h"

#include <string.h>

/* A frame that is being made. */
struct saying {
	struct weft__link *link;
	uint16_t lane;
	unsigned char bytes[MOCK_INLINE_MAX];
	uint32_t len_bytes;
};

void fuzz_on_sent(const struct mock_path *path, const struct weft_tx_frame *frame)
{
	static unsigned int next;

	(void)path;
	if (weft__meta_kind(frame->meta) == WEFT__REQUEST && frame->head_len_bytes == sizeof *fuzz.ids)
		memcpy(&fuzz.ids[next++ % FUZZ_IDS], frame->head, sizeof *fuzz.ids);
}

static void put(struct saying *saying, const void *bytes, size_t len_bytes)
{
	if (len_bytes > sizeof saying->bytes - saying->len_bytes)
		len_bytes = sizeof saying->bytes - saying->len_bytes;
	memcpy(saying->bytes + saying->len_bytes, bytes, len_bytes);
	saying->len_bytes += (uint32_t)len_bytes;
}

/* The input's own bytes. */
static void put_raw(struct saying *saying, struct fuzz_input *in)
{
	size_t len_bytes = fuzz_byte(in), left = (size_t)(in->end - in->at);

	len_bytes = len_bytes < left ? len_bytes : left;
	if (len_bytes)
		put(saying, in->at, len_bytes);
	in->at += len_bytes;
}

static void put_id(struct saying *saying, struct fuzz_input *in)
{
	uint64_t id = fuzz.ids[fuzz_byte(in) % FUZZ_IDS];
	int32_t status = -(int32_t)fuzz_byte(in);

	put(saying, &id, sizeof id);
	put(saying, &status, fuzz_byte(in) % (sizeof status + 1));
}

static void put_terms(struct saying *saying, struct fuzz_input *in)
{
	static const char *const channels[] = {"zero", "one", "two"};
	uint8_t what = fuzz_byte(in);
	struct weft__lane_terms terms = {.delivery = what % 3,
					 .priority = what / 4 % 4,
					 .max_message_bytes = UINT64_C(1) << fuzz_byte(in) % 64};
	unsigned char bytes[WEFT__LANE_OPEN_MAX];

	strcpy(terms.channel, channels[what / 16 % 3]);
	put(saying, bytes, weft__lane_terms_encode(&terms, bytes));
}

static void put_credit(struct saying *saying, struct fuzz_input *in)
{
	const struct weft__tx_lane *lane = saying->link->tx_lanes[saying->lane % WEFT__LINK_LANES];
	uint32_t next = lane ? lane->next_sequence : 0, delivered = lane ? lane->delivered_sequence : 0;
	struct weft__credit credit = {.delivered_sequence = fuzz_byte(in) & 1 ? next : delivered + fuzz_byte(in) % 3,
				      .limit_sequence = next + fuzz_byte(in) - 4u,
				      .limit_bytes = (lane ? lane->sent_bytes : 0) + fuzz_byte(in) * UINT64_C(10000)};
	unsigned char bytes[WEFT__CREDIT_BYTES];

	weft__credit_encode(&credit, bytes);
	put(saying, bytes, sizeof bytes);
}

static uint32_t sequence(const struct saying *saying, struct fuzz_input *in)
{
	const struct weft__rx_lane *rx = saying->link->rx_lanes[saying->lane % WEFT__LINK_LANES];
	const struct weft__tx_lane *tx = saying->link->tx_lanes[saying->lane % WEFT__LINK_LANES];
	uint8_t what = fuzz_byte(in);

	switch (what % 8) {
	case 0:
	case 1:
		return rx ? rx->next_sequence : 0;
	case 2:
		return tx ? tx->generation : 0;
	case 3:
		return saying->link->idle_round;
	case 4:
		return saying->link->peer_round + 1;
	case 5:
		return saying->link->peer_round;
	case 6:
		return (rx ? rx->next_sequence : 0) + fuzz_byte(in) - 2u;
	}
	return what / 8u * 0x08421084u;
}

static bool begin(struct saying *saying, struct fuzz_input *in, struct mock_path **path)
{
	uint8_t what = fuzz_byte(in);

	saying->len_bytes = 0;
	saying->lane = what < 0xf8 ? what % 3 : (uint16_t)(what << 8 | what);
	*path = mock_path_at(what / 4 % 8 == 7);
	saying->link = *path ? mock_path_base(*path)->user : NULL;
	return saying->link;
}

/* ---- as it should be ---- */

static void open_lane(struct mock_path *path, uint16_t id, const char *channel)
{
	struct weft__lane_terms terms = {.priority = WEFT_PRIORITY_NORMAL, .max_message_bytes = 1 << 20};
	unsigned char bytes[WEFT__LANE_OPEN_MAX];

	strcpy(terms.channel, channel);
	mock_say(path, weft__meta(WEFT__LANE_OPEN, 0, id, 1), bytes, (uint32_t)weft__lane_terms_encode(&terms, bytes),
		 0);
}

static void grant(struct mock_path *path, const struct weft__link *link)
{
	for (uint16_t i = 0; i < WEFT__LINK_LANES; i++) {
		const struct weft__tx_lane *lane = link->tx_lanes[i];
		unsigned char bytes[WEFT__CREDIT_BYTES];
		struct weft__credit credit;

		if (!lane)
			continue;
		credit = (struct weft__credit){.delivered_sequence = lane->next_sequence,
					       .limit_sequence = lane->next_sequence + 100,
					       .limit_bytes = lane->sent_bytes + 1000000};
		weft__credit_encode(&credit, bytes);
		mock_say(path, weft__meta(WEFT__CREDIT, 0, i, lane->generation), bytes, sizeof bytes, 0);
	}
}

static void say_in_both(struct mock_path *path, enum weft__kind kind, uint32_t round)
{
	for (uint16_t class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		mock_say(path, weft__meta(kind, 0, class_, round), NULL, 0, 0);
}

void fuzz_say_right(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	struct mock_path *path = mock_path_at(what >> 7);
	const struct weft__link *link = path ? mock_path_base(path)->user : NULL;

	if (!link)
		return;
	switch (what % 8) {
	case 0:
	case 1:
		open_lane(path, what >> 4 & 3, what & 1 ? "one" : "two");
		break;
	case 2:
	case 3:
		grant(path, link);
		break;
	case 4:
		say_in_both(path, WEFT__IDLE_ASK, link->peer_round + 1);
		break;
	case 5:
		say_in_both(path, WEFT__IDLE_YES, link->idle_round);
		break;
	case 6:
		mock_say(path, weft__meta(WEFT__IDLE_CLOSE, 0, 0, link->peer_round), NULL, 0, 0);
		mock_down(path, WEFT_DOWN_CLOSED);
		break;
	default:
		mock_say(path, weft__meta(WEFT__LANE_CLOSE, 0, what >> 4 & 3, 0), NULL, 0, 0);
	}
	fuzz_turn(0);
}

/* ---- as it comes ---- */

void fuzz_say(struct fuzz_input *in)
{
	static const uint64_t loans_bytes[] = {1, 5000, 70000, 300000};
	static void (*const parts[])(struct saying *, struct fuzz_input *) = {put_raw, put_id, put_terms, put_credit};
	uint8_t how = fuzz_byte(in);
	struct mock_path *path;
	struct saying saying;
	unsigned int kind;
	uint64_t meta;

	if (!begin(&saying, in, &path))
		return;
	kind = fuzz_byte(in) % 16;
	meta = weft__meta((enum weft__kind)kind, how & 7, saying.lane, sequence(&saying, in));
	parts[how >> 4 & 3](&saying, in);
	if (how & 8 && saying.len_bytes > MOCK_LOAN_HEAD_MAX)
		saying.len_bytes = MOCK_LOAN_HEAD_MAX;
	mock_say(path, meta, saying.bytes, saying.len_bytes, how & 8 ? loans_bytes[fuzz_byte(in) % 4] : 0);
	if (!(how & 0x80))
		fuzz_turn(0);
}

/* Messages that follow each other on a lane, small or lent. */
void fuzz_say_burst(struct fuzz_input *in)
{
	struct mock_path *path;
	struct saying saying;
	uint32_t next;
	uint8_t what;

	if (!begin(&saying, in, &path))
		return;
	what = fuzz_byte(in);
	next = sequence(&saying, in);
	for (uint32_t i = 0; i <= what % 8u; i++) {
		uint64_t id = i, meta = weft__meta(what & 8 ? WEFT__REQUEST : WEFT__DATA, what & 16 ? WEFT__ACK_NOW : 0,
						   saying.lane, next + i);

		mock_say(path, meta, &id, sizeof id, what & 32 ? (what & 64 ? 66000 : 100) : 0);
	}
	if (!(what & 0x80))
		fuzz_turn(0);
}
