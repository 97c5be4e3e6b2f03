package io.remap.iopt;

import io.remap.api.Environment;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.testkit.TransportContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.function.Function;

final class FastTransportTest extends TransportContract {
    @Override
    protected Transport open(Environment environment, int connectionLimit) throws Refusal {
        return new FastTransportProvider()
                .open(
                        environment,
                        new Settings(Map.of(
                                FastTransportProvider.CONNECTION_LIMIT.name(),
                                Integer.toString(connectionLimit),
                                FastTransportProvider.LOOPS.name(),
                                "2")));
    }

    @Override
    protected Function<ByteBuffer, PagePipe> pipes() {
        return TestPipe::new;
    }

    @Override
    protected int longestAbstractName() {
        return ListeningSocket.MAX_ABSTRACT_NAME_BYTES;
    }

    @Override
    protected SocketChannel connectAbstract(String name) throws IOException {
        return new UnixClientChannel("\0" + name, WAIT_MILLIS);
    }
}
