"""PostgreSQL through libpq, with ctypes: a session is a few calls, and a call
lets the other threads run. The server is the one that PG* variables lead to."""
import ctypes

EMPTY, COMMAND, TUPLES, COPY_OUT, COPY_IN = range(5)

_pq = ctypes.CDLL("libpq.so.5")
_pq.PQconnectdb.restype = _pq.PQexec.restype = _pq.PQgetResult.restype = ctypes.c_void_p
_pq.PQgetvalue.restype = _pq.PQcmdTuples.restype = ctypes.c_char_p
_pq.PQerrorMessage.restype = _pq.PQresultErrorMessage.restype = _pq.PQresultErrorField.restype = ctypes.c_char_p
_pq.PQfreemem.argtypes = [ctypes.c_void_p]
_SQLSTATE = ord("C")


class Failed(Exception):
    """What the server refused. `state` is the SQLSTATE, "" where the connection is gone."""

    def __init__(self, state, message, statement):
        super().__init__(f"{state or 'connection lost'}: {message.strip()}  <-  {statement[:2000]}")
        self.state = state


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Session:
    """One connection, for one thread at a time."""

    def __init__(self, name):
        self._conn = ctypes.c_void_p(_pq.PQconnectdb(f"application_name='{name}' client_encoding=UTF8".encode()))
        if _pq.PQstatus(self._conn):
            message = _pq.PQerrorMessage(self._conn).decode()
            self.close()
            raise Failed("", message, "connect")
        self.run("SET client_min_messages = error")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._conn:
            _pq.PQfinish(self._conn)
        self._conn = None

    def _exec(self, statement, *wanted):
        result = ctypes.c_void_p(_pq.PQexec(self._conn, statement.encode()))
        if _pq.PQresultStatus(result) not in wanted:
            self._fail(result, statement)
        return result

    def _fail(self, result, statement):
        state = (_pq.PQresultErrorField(result, _SQLSTATE) or b"").decode()
        message = (_pq.PQresultErrorMessage(result) or _pq.PQerrorMessage(self._conn) or b"?").decode()
        _pq.PQclear(result)
        raise Failed(state, message, statement)

    def run(self, statement):
        """The count of rows that it touched."""
        result = self._exec(statement, COMMAND, TUPLES, EMPTY)
        count = int(_pq.PQcmdTuples(result) or 0)
        _pq.PQclear(result)
        return count

    def rows(self, statement):
        """A list of tuples of texts, None for NULL."""
        result = self._exec(statement, TUPLES)
        rows = [tuple(None if _pq.PQgetisnull(result, i, j) else _pq.PQgetvalue(result, i, j).decode()
                      for j in range(_pq.PQnfields(result)))
                for i in range(_pq.PQntuples(result))]
        _pq.PQclear(result)
        return rows

    def value(self, statement):
        return self.rows(statement)[0][0]

    def copy_out(self, statement):
        """What COPY ... TO STDOUT gives, as bytes."""
        _pq.PQclear(self._exec(statement, COPY_OUT))
        pieces, piece = [], ctypes.c_void_p()
        while (count := _pq.PQgetCopyData(self._conn, ctypes.byref(piece), 0)) > 0:
            pieces.append(ctypes.string_at(piece, count))
            _pq.PQfreemem(piece)
        self._end_copy(statement)
        return b"".join(pieces)

    def copy_in(self, statement, data):
        """COPY ... FROM STDIN of `data`."""
        _pq.PQclear(self._exec(statement, COPY_IN))
        _pq.PQputCopyData(self._conn, data, len(data))
        _pq.PQputCopyEnd(self._conn, None)
        self._end_copy(statement)

    def _end_copy(self, statement):
        result = ctypes.c_void_p(_pq.PQgetResult(self._conn))
        if _pq.PQresultStatus(result) != COMMAND:
            self._drain()
            self._fail(result, statement)
        _pq.PQclear(result)
        self._drain()

    def _drain(self):
        while result := _pq.PQgetResult(self._conn):
            _pq.PQclear(ctypes.c_void_p(result))
