// Gives OpenBLAS its AVX-512 kernels on CPUs that are newer than it.
//
// Why this exists: OpenBLAS picks its kernels by CPU model in its own load-time constructor. A release that does not know
// a model falls back to kernels without AVX-512: 0.3.21 (Debian 12) runs AMD family 0x1A (Zen 5) as Haswell, at half the
// speed of its SkylakeX kernels (one core, sgemm 2048^3: 124 against 251 GFLOP/s). The only control, the environment
// variable OPENBLAS_CORETYPE, is read before any code of the program runs. So a constructor here, which runs after that of
// the libopenblas it is linked to, lets OpenBLAS choose again with that variable set for the moment.
//
// When it can go: once OpenBLAS 0.3.30 is the oldest release supported, which knows those models.
//
// Nothing of OpenBLAS is linked here: what is needed is looked up at run time, and where any of it is missing, OpenBLAS's
// choice stands. A user's OPENBLAS_CORETYPE is respected; ATTENTION_KEEP_BLAS_CORE=1 switches this off.

#ifndef CBLASCORE_H
#define CBLASCORE_H

/// What happened when the program was loaded. All strings are static and never NULL.
struct CBLASCore_decision {
  /// The name of the kernels that OpenBLAS picked by itself, "Haswell" for instance; empty where it was not asked.
  const char *picked;
  /// The name of the kernels in use after that; the same where the choice stands.
  const char *now;
  /// Why the choice was replaced, or why it stands: half a sentence.
  const char *reason;
};

/// What the constructor decided. Never NULL; reading it is safe from any thread.
///
/// A call from elsewhere also makes the linker take this object out of a static archive.
const struct CBLASCore_decision *CBLASCore_choice(void);

#endif
