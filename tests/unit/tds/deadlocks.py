"""An embedded pool whose statements can be victims of deadlocks, to be served by the endpoint."""

import contextlib

from bikecast.embedded.sql_pool import Pool, SqlError


class Deadlocks(Pool):
    """A pool of which the next statements that a client sends fail with 1205, if told so."""

    _left = 0

    def befall(self, statements: int) -> None:
        """Let the next statements fail; a victim's transaction is rolled back."""
        self._left = statements

    @contextlib.contextmanager
    def engine_session(self):
        with super().engine_session() as session:
            run = session.run

            def run_or_fail(batch, variables):
                if self._left and not batch.startswith("IF @@TRANCOUNT"):
                    self._left -= 1
                    session.close()
                    raise SqlError(1205, "Transaction was deadlocked and was chosen as the victim.")
                return run(batch, variables)

            session.run = run_or_fail
            yield session
