// Whether somebody wants this process to stop. A signal's handler may do next to nothing: this one writes a number down.
#pragma once

/// From now on SIGINT and SIGTERM end nothing but are noted, the first of them; a second one of the same kind ends the process as it
/// always did. Programs that this one starts are not concerned.
void CInterruption_watch(void);

/// The signal that came; 0 where none did.
int CInterruption_signal(void);
