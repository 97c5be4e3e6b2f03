package io.remap.nbd.plain;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.Library;
import com.kenai.jffi.Type;

/**
 * accept(2) that does not ask who connects. That of jnr-unixsocket does, and throws, with the new descriptor lost, at an
 * address that fills {@code sun_path} without a final zero, which any process of the host may have.
 *
 * <p>Bound through jffi, the native layer under jnr, which keeps the error number of the calling thread for it.
 */
final class AcceptCall {
    static final AcceptCall INSTANCE = new AcceptCall();

    private final Invoker invoker = Invoker.getInstance();
    private final CallContext threeWords = CallContext.getCallContext(
            Type.SLONG, new Type[] {Type.SLONG, Type.SLONG, Type.SLONG}, CallingConvention.DEFAULT, true);
    private final long function = Library.getDefault().getSymbolAddress("accept");

    private AcceptCall() {
        if (function == 0) {
            throw new UnsatisfiedLinkError("no symbol accept");
        }
    }

    /** Waits for the next connection; its descriptor, which blocks, or -1. */
    int accept(int number) {
        return (int) invoker.invokeN3(threeWords, function, number, 0, 0);
    }
}
