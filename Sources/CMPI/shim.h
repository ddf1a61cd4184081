// MPI as Swift can import it. Communicators, datatypes, operations and the null handles are macros with casts, which Swift does not see, and
// which MPI defines differently from one implementation to the next: each has a function here. Structures that only C knows the size of
// stay behind functions too. Everything else is called as MPI declares it.

#ifndef CMPI_SHIM_H
#define CMPI_SHIM_H

// The C++ bindings that Open MPI still ships would need its C++ library.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <stdint.h>

static inline MPI_Comm CMPI_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Comm CMPI_comm_null(void) { return MPI_COMM_NULL; }
static inline MPI_Request CMPI_request_null(void) { return MPI_REQUEST_NULL; }

// Errors come back as codes: the default ends the process.
static inline int CMPI_return_errors(MPI_Comm communicator) { return MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN); }

static inline int CMPI_init_thread(int required, int *provided) { return MPI_Init_thread(NULL, NULL, required, provided); }
static inline int CMPI_thread_serialized(void) { return MPI_THREAD_SERIALIZED; }

static inline int CMPI_begin_send(const void *bytes, int count, int destination, int tag, MPI_Comm communicator, MPI_Request *request) {
  return MPI_Isend(bytes, count, MPI_BYTE, destination, tag, communicator, request);
}

// A message that has come, or begun to, and that nobody else receives.
typedef struct {
  MPI_Message handle;
  int count;
  int tag;
} CMPI_message;

// The next message of a rank, if one has come.
static inline int CMPI_next_message(int source, MPI_Comm communicator, int *found, CMPI_message *message) {
  MPI_Status status;
  int code = MPI_Improbe(source, MPI_ANY_TAG, communicator, found, &message->handle, &status);
  if (code != MPI_SUCCESS || !*found) return code;
  message->tag = status.MPI_TAG;
  return MPI_Get_count(&status, MPI_BYTE, &message->count);
}

// `bytes` has room for all of the message.
static inline int CMPI_begin_receive(void *bytes, CMPI_message *message, MPI_Request *request) {
  return MPI_Imrecv(bytes, message->count, MPI_BYTE, &message->handle, request);
}

static inline int CMPI_begin_all_gather(const void *bytes, void *all, int count, MPI_Comm communicator, MPI_Request *request) {
  return MPI_Iallgather(bytes, count, MPI_BYTE, all, count, MPI_BYTE, communicator, request);
}

// Whether a request is done. What failed has its code in the result.
static inline int CMPI_test(MPI_Request *request, int *done) { return MPI_Test(request, done, MPI_STATUS_IGNORE); }

// A message of any rank with this tag, if one has come: its source.
static inline int CMPI_probe(int tag, MPI_Comm communicator, int *found, int *source) {
  MPI_Status status;
  int code = MPI_Iprobe(MPI_ANY_SOURCE, tag, communicator, found, &status);
  *source = *found ? status.MPI_SOURCE : -1;
  return code;
}

static inline int CMPI_receive_now(void *bytes, int count, int source, int tag, MPI_Comm communicator) {
  return MPI_Recv(bytes, count, MPI_BYTE, source, tag, communicator, MPI_STATUS_IGNORE);
}

// `text` has MPI_MAX_ERROR_STRING bytes.
static inline int CMPI_max_error_string(void) { return MPI_MAX_ERROR_STRING; }
static inline int CMPI_max_processor_name(void) { return MPI_MAX_PROCESSOR_NAME; }

#endif
