//! Batches of datagrams: the system calls of the data plane.
