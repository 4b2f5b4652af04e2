"""An event loop without time, sockets or threads, in which somebody else says which callback goes on next.

So a schedule is a list of numbers: it can be drawn, repeated, and shrunk to the few that matter. When nothing is left to be
called, everything waits for something to happen: then there is quiet.
"""

import asyncio


class NeverQuiet(AssertionError):
    """Callback follows callback, without end."""


def first(_):
    """Choose as a usual loop does."""
    return 0


def drawn_from(numbers):
    """Choose by the numbers, then as a usual loop does; each is cut to what there is."""
    rest = iter(numbers)
    return lambda ready: min(next(rest, 0), ready - 1)


class DrawnLoop(asyncio.AbstractEventLoop):
    """What asyncio's own parts ask of a loop, and no more."""

    def __init__(self):
        self._ready = []
        self.errors = []

    # What asyncio calls.

    def call_soon(self, callback, *args, context=None):
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def create_future(self):
        return asyncio.Future(loop=self)

    def create_task(self, coro, **options):
        return asyncio.Task(coro, loop=self, **options)

    def run_in_executor(self, executor, func, *args):
        """Do the work here: when it is its turn, and in one piece."""
        future = self.create_future()
        self.call_soon(_work, future, func, args)
        return future

    def get_debug(self):
        return False

    def is_closed(self):
        return False

    def call_exception_handler(self, context):
        self.errors.append(context)

    # What tests call.

    def step(self, choose=first):
        """Let one callback go on; tell whether there was one."""
        self._ready = [handle for handle in self._ready if not handle.cancelled()]
        if not self._ready:
            return False
        handle = self._ready.pop(choose(len(self._ready)))
        asyncio._set_running_loop(self)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(None)
        return True

    def quiet(self, choose=first, most=5_000):
        """Go on until everything waits for something to happen."""
        for _ in range(most):
            if not self.step(choose):
                return
        raise NeverQuiet

    def run(self, coro, choose=first):
        """Go on until this is done; give its outcome."""
        task = self.create_task(coro)
        while not task.done():
            assert self.step(choose), f"{coro} waits for what never happens"
        return task.result()

    def end(self, tasks):
        """Cancel what is left."""
        for task in tasks:
            task.cancel()
        self.quiet()


def _work(future, func, args):
    if future.cancelled():
        return
    try:
        result = func(*args)
    except BaseException as error:  # noqa: BLE001  # whoever waits for the work is told
        future.set_exception(error)
    else:
        future.set_result(result)
