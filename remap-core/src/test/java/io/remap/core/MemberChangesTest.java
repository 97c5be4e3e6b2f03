package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class MemberChangesTest {
    /** Asks for as many changes as may wait, and for two more, of a store that answers the first one at last. */
    @Test
    void behindAChangeThatDoesNotEndOnlySoManyWait() {
        List<Consumer<Refusal>> asked = new ArrayList<>();
        MemberChanges changes = new MemberChanges(storeThatHangs(asked));
        UnaryOperator<List<SpareMember>> lose = members -> List.of();
        List<Refusal> told = new ArrayList<>();
        for (int i = 0; i < 1 + MemberChanges.MAX_WAITING + 1; i++) {
            changes.change(lose, told::add);
        }
        assertEquals(1, asked.size());
        assertEquals(
                List.of(Refusal.Kind.BUSY), told.stream().map(Refusal::kind).toList());

        told.clear();
        changes.change(UnaryOperator.identity(), told::add);
        assertEquals(
                List.of(Refusal.Kind.BUSY), told.stream().map(Refusal::kind).toList());
        told.clear();
        for (int i = 0; i < asked.size(); i++) {
            asked.get(i).accept(null);
        }
        assertEquals(1 + MemberChanges.MAX_WAITING, told.size(), "each of those that waited is told");
    }

    private static MetadataStore storeThatHangs(List<Consumer<Refusal>> asked) {
        SpareMember member = SpareMember.first(8);
        return (MetadataStore) Proxy.newProxyInstance(
                MetadataStore.class.getClassLoader(),
                new Class<?>[] {MetadataStore.class},
                (proxy, method, args) -> switch (method.getName()) {
                    case "members" -> List.of(member);
                    case "changeMembers" -> {
                        asked.add(listener(args));
                        yield null;
                    }
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }

    @SuppressWarnings("unchecked")
    private static Consumer<Refusal> listener(Object... args) {
        return (Consumer<Refusal>) args[1];
    }
}
