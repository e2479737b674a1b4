/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MPI between two ranks: all sends and receives of a window are outstanding at once. Built once for each MPI.
 */
#include "peer.h"

#include <mpi.h>

static int other;

static void mpi_open(struct peer_run *run, bool *is_sender)
{
	int rank, ranks;

	(void)run;
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	if (ranks != 2)
		peer_die("mpi: start it with 2 ranks, not %d", ranks);
	*is_sender = rank == 1;
	other = 1 - rank;
}

static void mpi_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	MPI_Request requests[PEER_WINDOW_MAX];

	if (count == 1) {
		MPI_Send(buffers[0], (int)len_bytes, MPI_BYTE, other, 0, MPI_COMM_WORLD);
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		MPI_Isend(buffers[i], (int)len_bytes, MPI_BYTE, other, 0, MPI_COMM_WORLD, &requests[i]);
	MPI_Waitall((int)count, requests, MPI_STATUSES_IGNORE);
}

static void mpi_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	MPI_Request requests[PEER_WINDOW_MAX];

	if (count == 1) {
		MPI_Recv(buffers[0], (int)len_bytes, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		MPI_Irecv(buffers[i], (int)len_bytes, MPI_BYTE, other, 0, MPI_COMM_WORLD, &requests[i]);
	MPI_Waitall((int)count, requests, MPI_STATUSES_IGNORE);
}

static void mpi_close(void)
{
	MPI_Finalize();
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {PEER_NAME, true, NULL, mpi_open, mpi_send, mpi_receive, mpi_close};

	return peer_main(argc, argv, &ops);
}
